"""A Kubernetes-style API server in this process: objects in memory or in SQLite, and an HTTP face (`face`).

It behaves as a real kube-apiserver does in what our programs and kubectl use; docs/concepts/embedded.md lists the
differences. Read `engine.py` first.
"""

from argocd_agent.backends.embedded.cluster import EmbeddedCluster, open_memory, open_sqlite

__all__ = ["EmbeddedCluster", "open_memory", "open_sqlite"]
