"""What the face serves, as clients discover it: groups, versions and resources, in the old and the aggregated form.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api. Pure.
"""

from argocd_agent.backends.embedded.kinds import Kinds, ServedKind
from argocd_agent.backends.embedded.values import Json, JsonObject

VERBS: list[Json] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
SUBRESOURCE_VERBS: list[Json] = ["get", "patch", "update"]
SCALE = ("autoscaling", "v1", "Scale")


def document_at(kinds: Kinds, parts: list[str], address: str) -> JsonObject | None:
    """The old form of what stands at the path of *parts*, None where that is not discovery or not served."""
    match parts:
        case ["api"]:
            return core_versions(address)
        case ["api", version]:
            return resource_list(kinds, "", version)
        case ["apis"]:
            return group_list(kinds)
        case ["apis", name]:
            return group(kinds, name)
        case ["apis", name, version]:
            return resource_list(kinds, name, version)
    return None


def core_versions(address: str) -> JsonObject:
    """`/api`."""
    servers: list[Json] = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}


def group_list(kinds: Kinds) -> JsonObject:
    """`/apis`."""
    groups: list[Json] = [_group(name, versions) for name, versions in _groups(kinds).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(kinds: Kinds, name: str) -> JsonObject | None:
    """`/apis/GROUP`, None where it is not served."""
    versions = _groups(kinds).get(name)
    return None if versions is None else {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def resource_list(kinds: Kinds, group_name: str, version: str) -> JsonObject | None:
    """`/apis/GROUP/VERSION` or `/api/v1`, None where it is not served."""
    served = _groups(kinds).get(group_name, {}).get(version)
    if served is None:
        return None
    resources: list[Json] = [entry for kind in served for entry in _resources(kind)]
    name = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def aggregated(kinds: Kinds, *, is_core: bool) -> JsonObject:
    """Everything under `/api` or `/apis` in one document (apidiscovery.k8s.io/v2)."""
    items: list[Json] = []
    for name, versions in _groups(kinds).items():
        if (name == "") is is_core:
            listed: list[Json] = [
                {"version": version, "resources": [_aggregated(kind) for kind in served], "freshness": "Current"}
                for version, served in versions.items()
            ]
            items.append({"metadata": {"name": name} if name else {}, "versions": listed})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _groups(kinds: Kinds) -> dict[str, dict[str, list[ServedKind]]]:
    groups: dict[str, dict[str, list[ServedKind]]] = {}
    for kind in kinds:
        groups.setdefault(kind.api.group, {}).setdefault(kind.api.version, []).append(kind)
    return groups


def _group(name: str, versions: dict[str, list[ServedKind]]) -> JsonObject:
    listed: list[Json] = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resources(kind: ServedKind) -> list[JsonObject]:
    api, row = kind.api, kind.row
    main: JsonObject = {
        "name": api.plural,
        "singularName": kind.singular,
        "namespaced": api.namespaced,
        "kind": api.kind,
        "verbs": VERBS,
    }
    if row.short:
        main["shortNames"] = list(row.short)
    if row.categories:
        main["categories"] = list(row.categories)
    entries = [main]
    for name, is_served in (("scale", row.has_scale), ("status", row.has_status)):
        if is_served:
            entry: JsonObject = {"name": f"{api.plural}/{name}", "singularName": "", "namespaced": api.namespaced}
            if name == "scale":
                entry |= {"group": SCALE[0], "version": SCALE[1], "kind": SCALE[2]}
            else:
                entry["kind"] = api.kind
            entries.append({**entry, "verbs": SUBRESOURCE_VERBS})
    return entries


def _aggregated(kind: ServedKind) -> JsonObject:
    api, row = kind.api, kind.row
    own: JsonObject = {"group": api.group, "version": api.version, "kind": api.kind}
    entry: JsonObject = {
        "resource": api.plural,
        "responseKind": own,
        "scope": "Namespaced" if api.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": VERBS,
    }
    if row.short:
        entry["shortNames"] = list(row.short)
    if row.categories:
        entry["categories"] = list(row.categories)
    subresources: list[Json] = []
    if row.has_scale:
        scale: JsonObject = dict(zip(("group", "version", "kind"), SCALE, strict=True))
        subresources.append({"subresource": "scale", "responseKind": scale, "verbs": SUBRESOURCE_VERBS})
    if row.has_status:
        subresources.append({"subresource": "status", "responseKind": own, "verbs": SUBRESOURCE_VERBS})
    if subresources:
        entry["subresources"] = subresources
    return entry
