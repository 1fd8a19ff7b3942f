"""What the reference makes of AppProjects: who gets one, each agent's edition, and how a spoke's own is renamed.

The rules are those of the wire contract, 6.4, written down a second time and independently of ours. [Q]: editions are
(mis)used by an autonomous agent that answers a request-update, so destinations that do not name it get lost.
"""

import copy
import re
from urllib.parse import parse_qs, urlsplit

from tests.conformance.peers.go_objects import Json

LONGEST_NAME = 253
_RESOURCES = ("applications", "applicationsets", "logs", "exec")


def glob(pattern: str, text: str) -> bool:
    """Whether *text* is one of *pattern*: `*`, `?`, `[…]` and `{a,b}`, none of which stops at a separator."""
    parts, depth = [], 0
    for token in re.findall(r"\[[^\]]*\]|.", pattern, re.DOTALL):
        match token:
            case "*":
                parts.append(".*")
            case "?":
                parts.append(".")
            case "{":
                parts.append("(?:")
                depth += 1
            case "}" if depth:
                parts.append(")")
                depth -= 1
            case "," if depth:
                parts.append("|")
            case _ if len(token) > 1:
                parts.append(token.replace("[!", "[^"))
            case _:
                parts.append(re.escape(token))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def glob_or_regex(pattern: str, text: str) -> bool:
    """As `glob`, but that `/…/` is a regular expression."""
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        return re.search(pattern[1:-1], text) is not None
    return glob(pattern, text)


def matching(project: Json, agent: str) -> list[Json]:
    """The destinations that name *agent*; none if one denies it."""
    found = []
    for destination in project["spec"].get("destinations") or []:
        name, server = destination.get("name", ""), destination.get("server", "")
        if name.startswith("!"):
            if glob(name[1:], agent):
                return []
        elif glob(name, agent) if name else server == "*" or _names(server, agent):
            found.append(destination)
    return found


def is_for(project: Json, agent: str, *, by_destination: bool = False) -> bool:
    """Whether a managed *agent* is to have *project*."""
    spaces = project["spec"].get("sourceNamespaces") or []
    is_source = by_destination or any(glob_or_regex(space, agent) for space in spaces)
    return is_source and bool(matching(project, agent))


def edition(project: Json, agent: str, *, by_destination: bool = False, with_roles: bool = False) -> Json:
    """The project as *agent* is told it. *with_roles*: as an autonomous agent tells its own."""
    told = copy.deepcopy(project)
    spec = told["spec"]
    here = {"server": "https://kubernetes.default.svc", "name": "in-cluster"}
    spec["destinations"] = [{**destination, **here} for destination in matching(project, agent)]
    if not spec["destinations"]:
        del spec["destinations"]
    if not by_destination:
        spec.pop("sourceNamespaces", None)
    if not with_roles:
        spec.pop("roles", None)  # an empty list, which Go leaves out
    return told


def mirrored(project: Json, agent: str, namespace: str) -> Json:
    """A spoke's own project as the principal keeps it. Raises ValueError if its name becomes too long."""
    kept, old = copy.deepcopy(project), project["metadata"]["name"]
    new = f"{agent}-{old}"
    if len(new) > LONGEST_NAME:
        raise ValueError(f"expected a name of at most {LONGEST_NAME} characters, found {new}")
    kept["metadata"] |= {"name": new, "namespace": namespace}
    kept["metadata"].pop("ownerReferences", None)
    spec = kept.setdefault("spec", {})  # what is absent is a Go zero value
    spec["sourceNamespaces"] = [agent]
    if spec.get("destinations"):
        spec["destinations"] = [{**one, "name": agent, "server": "*"} for one in spec["destinations"]]
    for role in spec.get("roles") or []:
        if role.get("policies"):
            role["policies"] = [_policy(line, role["name"], old, new, agent) for line in role["policies"]]
    return kept


def _names(server: str, agent: str) -> bool:
    patterns = parse_qs(urlsplit(server).query).get("agentName", [])
    return any(glob(pattern, agent) for pattern in patterns[:1])


def _policy(line: str, role: str, old: str, new: str, agent: str) -> str:
    fields = line.split(",")
    bare = [field.strip() for field in fields]
    if len(bare) != 6 or bare[0] != "p" or bare[2] not in _RESOURCES or bare[1] != f"proj:{old}:{role}":
        return line
    parts = bare[4].split("/")
    if len(parts) == 2:
        if parts[0] != old:
            return line
        fields[4] = f" {new}/{agent}/{parts[1]}"
    fields[1] = fields[1].replace(f"proj:{old}:", f"proj:{new}:")
    return ",".join(fields)
