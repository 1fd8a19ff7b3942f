"""What we know about Argo CD AppProjects: who gets one, and what it looks like on the other side.

A project of the hub has one edition for each managed agent that it names; a project of an autonomous agent has one
edition on the hub, under a name that says whose it is. Source: the wire contract, 6.4 and 6.6; field names:
https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#projects.
"""

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qs, urlsplit

from argocd_agent.codec import encode
from argocd_agent.errors import ConfigError, DecodeError, EventRefused
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import (
    ANNOTATION_SOURCE_UID,
    DESTINATION_IN_CLUSTER,
    DESTINATION_IN_CLUSTER_SERVER,
)
from argocd_agent.resources.application import shared_annotations
from argocd_agent.resources.checksum import canonical
from argocd_agent.resources.objects import Object
from argocd_agent.resources.patterns import Test, compiled, compiled_glob

MAX_NAME = 253  # of a Kubernetes object: a DNS subdomain (RFC 1123)

_DENY = "!"
_ANY_SERVER = "*"
_AGENT_PARAMETER = "agentName"  # in the URLs of the clusters that stand for agents
_TRANSLATED = frozenset(
    {"applications", "applicationsets", "logs", "exec"}
)  # their objects are <project>/<application>
_HELD_BY_NOBODY = (b"null",)  # the digest of what the other end refuses: no copy has it


def is_for_agent(project: Object, agent: AgentName, *, by_destination: bool) -> bool:
    """Whether *agent*, a managed one, is to have *project* of the hub.

    Never raises: what cannot be read names nobody, and a bad pattern matches nothing.
    """
    return bool(agents_of(project, (agent,), by_destination=by_destination))


def agents_of(project: Object, agents: Iterable[AgentName], *, by_destination: bool) -> list[AgentName]:
    """Those of *agents*, managed ones, that are to have *project* of the hub; as `is_for_agent`."""
    try:
        spec = _spec(project)
    except DecodeError:
        return []
    destinations, namespaces = _mappings(spec.get("destinations")), _strings(spec.get("sourceNamespaces"))
    return [
        agent
        for agent in agents
        if not any(_denies(destination, agent) for destination in destinations)
        and any(_names(destination, agent) for destination in destinations)
        and (by_destination or any(_matches(compiled, pattern, agent) for pattern in namespaces))
    ]


def agent_edition(project: Object, agent: AgentName, *, by_destination: bool) -> Object:
    """*project* as *agent*, a managed one, is to have it: its own destinations as its Argo CD calls them, no roles.

    What becomes empty is left out, as the reference does. Raises `DecodeError` where `spec` has no canonical form.
    """
    spec = dict(_spec(project))
    spec.pop("roles", None)
    if not by_destination:
        spec.pop("sourceNamespaces", None)
    here = {"name": DESTINATION_IN_CLUSTER, "server": DESTINATION_IN_CLUSTER_SERVER}
    own = [{**one, **here} for one in _mappings(spec.pop("destinations", None)) if _names(one, agent)]
    if own:
        spec["destinations"] = own
    return project.with_fields({"spec": canonical(spec)})


def hub_name(name: str, agent: AgentName) -> str:
    """What the hub calls the project *name* of *agent*, an autonomous one. Raises `EventRefused` if it is too long."""
    result = f"{_prefix(agent)}{name}"
    if len(result) > MAX_NAME:
        raise EventRefused(
            f"project {name[:MAX_NAME]} of agent {agent}: expected a name of at most {MAX_NAME} characters on the hub, "
            f"found {len(result)} with the agent's name before it"
        )
    return result


def source_name(name: str, agent: AgentName) -> str:
    """What *agent* calls the project that the hub calls *name*; *name* itself if the hub gave it no prefix."""
    prefix = _prefix(agent)
    return name[len(prefix) :] if name.startswith(prefix) and len(name) > len(prefix) else name


def hub_edition(project: Object, agent: AgentName, hub_namespace: str) -> Object:
    """*project* of *agent*, an autonomous one, as the hub holds it.

    The UID stays, so that the caller can claim the copy; a deletion is not taken over. Raises `EventRefused` where the
    hub cannot hold it.
    """
    name = hub_name(project.name, agent)
    try:
        spec = dict(_spec(project, strict=True))
        spec["sourceNamespaces"] = [agent]
        if "destinations" in spec:
            spec["destinations"] = _each(
                spec["destinations"], lambda one: {**one, "name": agent, "server": _ANY_SERVER}
            )
        if "roles" in spec:
            spec["roles"] = _each(spec["roles"], lambda role: _role_on_hub(role, project.name, name, agent))
        text = canonical(spec)
    except DecodeError as error:
        raise EventRefused(f"project {project.name} of agent {agent}: {error}") from error
    return project.with_fields({"spec": text}).with_metadata(
        name=name,
        namespace=hub_namespace,
        owner_references=None,
        deletion_timestamp=None,
        deletion_grace_period_seconds=None,
    )


def owner_of(project: Object, is_autonomous: Callable[[AgentName], bool]) -> AgentName | None:
    """The autonomous agent whose *project* of the hub is; None if it is the hub's own, or cannot be read."""
    if not project.annotations.get(ANNOTATION_SOURCE_UID):
        return None
    try:
        namespaces = _spec(project).get("sourceNamespaces")
    except DecodeError:
        return None
    first = namespaces[0] if isinstance(namespaces, list) and namespaces else None
    if not isinstance(first, str) or not first:
        return None
    agent = AgentName(first)
    return agent if source_name(project.name, agent) != project.name and is_autonomous(agent) else None


def digest_parts_agent_edition(project: Object) -> tuple[bytes, ...]:
    """What counts of the project of a managed agent: of the edition for it, or of the copy that it stores.

    Finalizers do not: both ends take them off.
    """
    return (
        canonical(project.fields.get("spec", b"{}")),
        encode(sorted(project.labels.items())),
        encode(sorted(shared_annotations(project).items())),
    )


def digest_parts_hub(project: Object, agent: AgentName, hub_namespace: str, *, is_source: bool) -> tuple[bytes, ...]:
    """What counts of the project of *agent*, an autonomous one, in the digest that both ends compare.

    The agent (*is_source*) takes its project as the hub would hold it, the hub its copy as it is stored. What the hub
    would refuse has a digest that no copy has: it differs, is sent again and is refused again, for all to see.
    """
    if is_source:
        try:
            project = hub_edition(project, agent, hub_namespace)
        except EventRefused:
            return _HELD_BY_NOBODY
    return digest_parts_agent_edition(project)


def _prefix(agent: AgentName) -> str:
    return f"{agent}-"


def _spec(project: Object, *, strict: bool = False) -> Mapping[str, object]:
    spec = project.look("spec")
    if isinstance(spec, dict):
        return spec
    if strict:
        raise DecodeError(f"expected spec to be a JSON object, found {_found(project)}")
    return {}


def _found(project: Object) -> str:
    return project.fields.get("spec", b"nothing")[:40].decode(errors="replace")


def _mappings(value: object) -> list[dict[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _each(value: object, change: Callable[[dict[str, object]], object]) -> object:
    """*value* with each JSON object in it changed. What is of another shape stays: the API server judges it."""
    return [change(one) if isinstance(one, dict) else one for one in value] if isinstance(value, list) else value


def _denies(destination: Mapping[str, object], agent: AgentName) -> bool:
    name = destination.get("name")
    return isinstance(name, str) and name.startswith(_DENY) and _matches(compiled_glob, name[len(_DENY) :], agent)


def _names(destination: Mapping[str, object], agent: AgentName) -> bool:
    name, server = destination.get("name"), destination.get("server")
    if name is not None and not isinstance(name, str):
        return False
    if name:
        return not name.startswith(_DENY) and _matches(compiled_glob, name, agent)
    if not isinstance(server, str):
        return False
    if server == _ANY_SERVER:
        return True
    try:
        patterns = parse_qs(urlsplit(server).query, keep_blank_values=True).get(_AGENT_PARAMETER, [])
    except ValueError:  # not a URL
        return False
    return bool(patterns) and _matches(compiled_glob, patterns[0], agent)


def _matches(compile_pattern: Callable[[str], Test], pattern: str, agent: AgentName) -> bool:
    try:
        return compile_pattern(pattern)(agent)
    except ConfigError:
        return False


def _role_on_hub(role: dict[str, object], old: str, new: str, agent: AgentName) -> dict[str, object]:
    """*role* with its policies speaking of the project *new* instead of *old*, and of where its Applications are."""
    name, policies = role.get("name"), role.get("policies")
    if not isinstance(name, str) or not isinstance(policies, list):
        return role
    lines = [_policy_on_hub(line, name, old, new, agent) if isinstance(line, str) else line for line in policies]
    return {**role, "policies": lines}


def _policy_on_hub(line: str, role: str, old: str, new: str, agent: AgentName) -> str:
    """`p, proj:<old>:<role>, <resource>, <action>, <old>/<application>, <effect>`; any other line stays as it is."""
    fields = line.split(",")
    if len(fields) != 6:
        return line
    kind, subject, resource, _, target, _ = (field.strip() for field in fields)
    if kind != "p" or resource not in _TRANSLATED or subject != f"proj:{old}:{role}":
        return line
    fields[1] = fields[1].replace(subject, f"proj:{new}:{role}")
    project, *application = target.split("/")
    if len(application) == 1:
        if project != old:
            return line
        fields[4] = f" {new}/{agent}/{application[0]}"  # one blank, whatever was there: the reference's form
    return ",".join(fields)
