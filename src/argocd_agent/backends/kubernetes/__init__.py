"""A real Kubernetes API as a `Cluster`.

`load` finds out where and as whom (kubeconfig), `KubernetesCluster` does it (client); what is sent and what failures
mean is pure (requests), as is a watch's life (watch).
"""

from argocd_agent.backends.kubernetes.client import KubernetesCluster
from argocd_agent.backends.kubernetes.config import KubeConfig
from argocd_agent.backends.kubernetes.kubeconfig import load

__all__ = ["KubeConfig", "KubernetesCluster", "load"]
