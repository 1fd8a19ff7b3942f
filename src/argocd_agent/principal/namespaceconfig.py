"""Settings of the namespaces that the principal makes for autonomous agents."""

from dataclasses import dataclass

from argocd_agent.principal.unserved import PrincipalUnserved
from argocd_agent.settings.declare import setting
from argocd_agent.settings.values import boolean, labels, regex


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceConfig(PrincipalUnserved):
    """For whom namespaces are made, and how."""

    namespace_create_enabled: bool = setting(
        "namespace-create.enable",
        False,
        "Create the namespace of an autonomous agent on the hub when it is missing. Off: an administrator creates it.",
        boolean,
    )
    namespace_create_pattern: str = setting(
        "namespace-create.pattern",
        "",
        "Only for agents in whose name this regular expression finds something. Empty: all.",
        regex,
    )
    namespace_create_labels: tuple[tuple[str, str], ...] = setting(
        "namespace-create.labels",
        (),
        "Labels of the namespaces created.",
        labels,
    )
