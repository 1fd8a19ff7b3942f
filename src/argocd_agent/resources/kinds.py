"""The Kubernetes kinds that we read, write or move: one row each."""

from dataclasses import dataclass

from argocd_agent.protocol.events import Target


@dataclass(frozen=True, slots=True)
class Api:
    """Where a kind is found in a Kubernetes API (https://kubernetes.io/docs/reference/using-api/api-concepts/)."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As `apiVersion` in objects: `v1`, `argoproj.io/v1alpha1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As users and RBAC know it: `secrets`, `applications.argoproj.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


APPLICATIONS = Api("argoproj.io", "v1alpha1", "applications", "Application")
APPPROJECTS = Api("argoproj.io", "v1alpha1", "appprojects", "AppProject")
APPLICATIONSETS = Api("argoproj.io", "v1alpha1", "applicationsets", "ApplicationSet")
SECRETS = Api("", "v1", "secrets", "Secret")
CONFIGMAPS = Api("", "v1", "configmaps", "ConfigMap")
NAMESPACES = Api("", "v1", "namespaces", "Namespace", namespaced=False)
EVENTS = Api("", "v1", "events", "Event")
CRDS = Api("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind that travels. `name` is the reference's resync name; `compared` are the top-level fields that count."""

    name: str
    target: Target
    api: Api
    compared: tuple[str, ...]


APPLICATION = Kind("Application", Target.APPLICATION, APPLICATIONS, compared=("spec",))
APPPROJECT = Kind("AppProject", Target.APPPROJECT, APPPROJECTS, compared=("spec",))
REPOSITORY = Kind("Repository", Target.REPOSITORY, SECRETS, compared=("data",))
GPGKEY = Kind("GPGKey", Target.GPGKEY, CONFIGMAPS, compared=("data",))

KINDS: tuple[Kind, ...] = (APPLICATION, APPPROJECT, REPOSITORY, GPGKEY)
BY_TARGET: dict[Target, Kind] = {kind.target: kind for kind in KINDS}
BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}
