"""Decisions about Kubernetes objects: which travel, to whom, what counts of them, and what is to be done.

Pure: objects, policies and events in; verdicts, plans and new objects out. Who reads and writes a cluster is `peer`.
"""
