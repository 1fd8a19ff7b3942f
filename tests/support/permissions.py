"""RBAC rules of an agent that may do in its own namespace what it needs to, and with Applications what a test says."""

from collections.abc import Sequence

ALL = ("get", "list", "watch", "create", "update", "patch", "delete")
READ = ("get", "list", "watch")

Rule = dict[str, list[str]]


def rule(group: str, resource: str, verbs: Sequence[str] = ALL) -> Rule:
    """One rule about one kind."""
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def agent_rules(*, applications: Sequence[str] = ALL, secrets: Sequence[str] = ALL) -> list[Rule]:
    """What a managed agent's Role says: the kinds it mirrors, its brake's ConfigMap, and Events."""
    return [
        *([rule("argoproj.io", "applications", applications)] if applications else []),
        rule("argoproj.io", "appprojects"),
        *([rule("", "secrets", secrets)] if secrets else []),
        rule("", "configmaps"),
        rule("", "events", ("get", "create", "update")),
    ]
