"""The kinds that the demo's stand-in for Argo CD can apply, in the order in which Argo CD applies them.

A kind that is not listed is refused by name: a real cluster would be asked, the port `Cluster` has no such question.
"""

from argocd_agent.resources.kinds import CONFIGMAPS, NAMESPACES, SECRETS, Api

_RBAC = "rbac.authorization.k8s.io"

SERVICES = Api("", "v1", "services", "Service")
DEPLOYMENTS = Api("apps", "v1", "deployments", "Deployment")

# Order: https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/ (first by kind, then by name)
ORDER: tuple[Api, ...] = (
    NAMESPACES,
    Api("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    Api("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    Api("", "v1", "serviceaccounts", "ServiceAccount"),
    SECRETS,
    CONFIGMAPS,
    Api("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    Api(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    Api(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Api(_RBAC, "v1", "roles", "Role"),
    Api(_RBAC, "v1", "rolebindings", "RoleBinding"),
    SERVICES,
    Api("apps", "v1", "daemonsets", "DaemonSet"),
    DEPLOYMENTS,
    Api("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    Api("apps", "v1", "statefulsets", "StatefulSet"),
    Api("batch", "v1", "jobs", "Job"),
    Api("batch", "v1", "cronjobs", "CronJob"),
    Api("networking.k8s.io", "v1", "ingresses", "Ingress"),
)

_BY_KIND = {(api.api_version, api.kind): api for api in ORDER}
_PLACE = {api: place for place, api in enumerate(ORDER)}


def find_api(api_version: str, kind: str) -> Api | None:
    """The row of a manifest's `apiVersion` and `kind`, None if the stand-in does not know it."""
    return _BY_KIND.get((api_version, kind))


def place_of(api: Api) -> int:
    """Where *api* stands in the order of applying."""
    return _PLACE[api]
