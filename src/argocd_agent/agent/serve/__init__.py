"""Requests of the hub, answered on the spoke: one file per sort of request."""
