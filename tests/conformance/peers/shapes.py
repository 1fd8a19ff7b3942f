"""The JSON types that a Go end decodes payloads into: another type in a known key kills its stream (10.1, rule 12).

Field types: https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml and the Kubernetes
`ObjectMeta`. Keys that are not listed are dropped by a Go end, whatever they hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Each:
    """A JSON array, or with *by_key* an object, whose values all have *shape*."""

    shape: Any
    by_key: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object. *needed* must be there; the others may."""

    known: Mapping[str, Any]
    needed: tuple[str, ...] = ()


TEXTS = Each(str)
TEXT_BY_KEY = Each(str, by_key=True)
METADATA = Fields(
    {
        "name": str,
        "namespace": str,
        "uid": str,
        "resourceVersion": str,
        "generation": int,
        "creationTimestamp": str,
        "deletionTimestamp": str,
        "deletionGracePeriodSeconds": int,
        "labels": TEXT_BY_KEY,
        "annotations": TEXT_BY_KEY,
        "finalizers": TEXTS,
        "ownerReferences": Each(Fields({"apiVersion": str, "kind": str, "name": str, "uid": str, "controller": bool})),
        "managedFields": Each(Fields({"manager": str, "operation": str})),
    },
    needed=("name",),
)
SOURCE = Fields(
    {
        "repoURL": str,
        "path": str,
        "targetRevision": str,
        "chart": str,
        "ref": str,
        "helm": Fields({"parameters": Each(Fields({"name": str, "value": str, "forceString": bool})), "values": str}),
        "directory": Fields({"recurse": bool}),
    }
)
DESTINATION = Fields({"server": str, "namespace": str, "name": str})
RETRY = Fields({"limit": int, "backoff": Fields({"duration": str, "factor": int, "maxDuration": str})})
SYNC = Fields({"revision": str, "prune": bool, "dryRun": bool, "resources": Each(Fields({"kind": str, "name": str}))})
OPERATION = Fields(
    {
        "sync": SYNC,
        "initiatedBy": Fields({"username": str, "automated": bool}),
        "retry": RETRY,
        "info": Each(Fields({})),
    }
)
SPEC = Fields(
    {
        "project": str,
        "source": SOURCE,
        "sources": Each(SOURCE),
        "destination": DESTINATION,
        "syncPolicy": Fields(
            {"automated": Fields({"prune": bool, "selfHeal": bool}), "syncOptions": TEXTS, "retry": RETRY}
        ),
        "info": Each(Fields({"name": str, "value": str})),
        "revisionHistoryLimit": int,
    }
)
STATUS = Fields(
    {
        "sync": Fields(
            {
                "status": str,
                "revision": str,
                "comparedTo": Fields({"source": SOURCE, "destination": DESTINATION}),
            }
        ),
        "health": Fields({"status": str, "message": str, "lastTransitionTime": str}),
        "summary": Fields({"images": TEXTS, "externalURLs": TEXTS}),
        "resources": Each(Fields({"group": str, "version": str, "kind": str, "name": str, "status": str})),
        "conditions": Each(Fields({"type": str, "message": str, "lastTransitionTime": str}, ("type", "message"))),
        "history": Each(Fields({"id": int, "revision": str, "deployedAt": str})),
        "operationState": Fields(
            {"phase": str, "message": str, "startedAt": str, "finishedAt": str, "operation": OPERATION}
        ),
        "reconciledAt": str,
        "sourceHydrator": Fields({}),
    }
)
APPLICATION = Fields(
    {"apiVersion": str, "kind": str, "metadata": METADATA, "spec": SPEC, "status": STATUS, "operation": OPERATION},
    needed=("metadata",),
)
_GROUPS = Each(Fields({"group": str, "kind": str, "name": str}))
_WINDOW = {"kind": str, "schedule": str, "duration": str, "timeZone": str, "manualSync": bool, "andOperator": bool}
ROLE = {
    "name": str,
    "description": str,
    "policies": TEXTS,
    "groups": TEXTS,
    "jwtTokens": Each(Fields({"iat": int, "exp": int, "id": str})),
}
PROJECT_SPEC = Fields(
    {
        "sourceRepos": TEXTS,
        "destinations": Each(DESTINATION),
        "description": str,
        "roles": Each(Fields(ROLE, ("name",))),
        **dict.fromkeys(
            (
                "clusterResourceWhitelist",
                "clusterResourceBlacklist",
                "namespaceResourceWhitelist",
                "namespaceResourceBlacklist",
            ),
            _GROUPS,
        ),
        "orphanedResources": Fields({"warn": bool, "ignore": _GROUPS}),
        "syncWindows": Each(Fields({**_WINDOW, **dict.fromkeys(("applications", "namespaces", "clusters"), TEXTS)})),
        "signatureKeys": Each(Fields({"keyID": str})),
        "sourceNamespaces": TEXTS,
        "permitOnlyProjectScopedClusters": bool,
        "destinationServiceAccounts": Each(Fields({"server": str, "namespace": str, "defaultServiceAccount": str})),
    }
)
_OBJECT = {"apiVersion": str, "kind": str, "metadata": METADATA}
APPPROJECT = Fields({**_OBJECT, "spec": PROJECT_SPEC, "status": Fields({})}, needed=("metadata",))
SECRET = Fields({**_OBJECT, "data": TEXT_BY_KEY, "type": str, "immutable": bool}, needed=("metadata",))
CONFIGMAP = Fields({**_OBJECT, "data": TEXT_BY_KEY, "binaryData": TEXT_BY_KEY}, needed=("metadata",))
# What is an object, by target.
OBJECTS: dict[str, Fields] = {
    "application": APPLICATION,
    "appproject": APPPROJECT,
    "repository": SECRET,
    "gpgkey": CONFIGMAP,
}
_RESOURCE = {"name": str, "namespace": str, "uid": str, "kind": str}
# What is no object, by the suffix of the event's type.
PAYLOADS: dict[str, Fields] = {
    ".error": Fields(
        dict.fromkeys(("resourceName", "resourceNamespace", "message"), str),
        needed=("resourceName", "resourceNamespace", "message"),
    ),
    ".request-synced-resource-list": Fields({"checksum": str | None}, needed=("checksum",)),
    ".response-synced-resource": Fields(_RESOURCE, needed=("name", "uid", "kind")),
    ".request-update": Fields({**_RESOURCE, "checksum": str | None}, needed=("name", "uid", "kind", "checksum")),
    ".request-resource-resync": Fields({}),
}


def mismatch(value: Any, shape: Any, place: str) -> str:
    """Why a Go end would not decode *value* as *shape*; empty if it would. null is a Go zero value, everywhere."""
    match shape:
        case Fields(known, needed):
            if not isinstance(value, dict):
                return f"{place}: expected an object, found {value!r}"
            if missing := [name for name in needed if name not in value]:
                return f"{place}: expected {', '.join(missing)}"
            inner = ((value[name], known[name], f"{place}.{name}") for name in value if name in known)
        case Each(each, by_key):
            if not isinstance(value, dict if by_key else list):
                return f"{place}: expected {'an object' if by_key else 'an array'}, found {value!r}"
            values = value.values() if isinstance(value, dict) else value
            inner = ((one, each, f"{place}[]") for one in values)
        case _:
            is_right = isinstance(value, shape) and (shape is not int or not isinstance(value, bool))
            return "" if is_right else f"{place}: expected {shape}, found {value!r}"
    found = (mismatch(one, its, where) for one, its, where in inner if one is not None or its == str | None)
    return next((problem for problem in found if problem), "")
