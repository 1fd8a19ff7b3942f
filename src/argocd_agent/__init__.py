"""Argo CD across many clusters, with the connection turned round: agents dial a principal beside Argo CD."""

__version__ = "0.1.0"
