"""Objects as the reference holds them: plain JSON, with what Go adds when it encodes its types."""

import base64
import copy
import hashlib
import json
from typing import Any

from argocd_agent.protocol.names import (
    ANNOTATION_SOURCE_UID,
    CONFIGMAP_GPG_KEYS,
    LABEL_IGNORE_SYNC,
    LABEL_SECRET_TYPE,
    SECRET_TYPE_REPOSITORY,
)

Json = dict[str, Any]

# The namespace of a scripted principal: another than ours and than an agent's, so that they are told apart.
HUB = "argocd-principal"

# Go writes empty structs even where nothing was ever set.
EMPTY_STATUS: Json = {
    "sync": {"status": "", "comparedTo": {"source": {"repoURL": ""}, "destination": {}}},
    "health": {},
    "summary": {},
    "sourceHydrator": {},
}


def go_application(name: str, namespace: str, uid: str, version: int, revision: str = "v0", **metadata: Any) -> Json:
    """An Application as Go encodes it: neither `apiVersion` nor `kind`."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "resourceVersion": str(version),
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"manager": "kubectl", "operation": "Update", "apiVersion": "argoproj.io/v1alpha1"}],
            **metadata,
        },
        "spec": {
            "source": {"repoURL": "https://git.example/repo", "path": "guestbook", "targetRevision": revision},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
            "project": "default",
        },
        "status": copy.deepcopy(EMPTY_STATUS),
    }


def go_project(name: str, namespace: str, uid: str, version: int, **spec: Any) -> Json:
    """An AppProject: for every agent, unless *spec* says otherwise."""
    everything = [{"group": "*", "kind": "*"}]
    return {
        "metadata": _metadata(name, namespace, uid, version),
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": everything,
            "sourceNamespaces": ["*"],
            **spec,
        },
        "status": {},
    }


def go_repository(
    name: str, namespace: str, uid: str, version: int, *, project: str, sort: str = SECRET_TYPE_REPOSITORY, **data: str
) -> Json:
    """A repository's Secret, or that of credentials (*sort* `repo-creds`). *data* in plain text."""
    plain = {"type": "git", "url": f"https://git.example/{name}", "project": project, **data}
    return {
        "metadata": _metadata(name, namespace, uid, version, labels={LABEL_SECRET_TYPE: sort}),
        "data": {key: in_base64(text) for key, text in plain.items()},
        "type": "Opaque",
    }


def go_keys(namespace: str, uid: str, version: int, **data: str) -> Json:
    """The ConfigMap of GPG keys."""
    return {"metadata": _metadata(CONFIGMAP_GPG_KEYS, namespace, uid, version), "data": dict(data)}


def _metadata(name: str, namespace: str, uid: str, version: int, **more: Any) -> Json:
    return {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "resourceVersion": str(version),
        "creationTimestamp": "2026-01-01T00:00:00Z",
        **more,
    }


def in_base64(text: str) -> str:
    """As a Secret holds it."""
    return base64.b64encode(text.encode()).decode()


def project_of(secret: Json) -> str:
    """The project that a repository belongs to; empty: to none."""
    return base64.b64decode((secret.get("data") or {}).get("project", "")).decode()


def is_hidden(obj: Json) -> bool:
    """Whether both components of the reference act as if it were not there."""
    return (obj["metadata"].get("labels") or {}).get(LABEL_IGNORE_SYNC) == "true"


def stub(name: str, namespace: str, uid: str, kind: str = "Application") -> Json:
    """What the reference sends as the object of a deletion that a resync found (5.5)."""
    empty: dict[str, Json] = {
        "Application": {"spec": {"destination": {}, "project": ""}, "status": copy.deepcopy(EMPTY_STATUS)},
        "AppProject": {"spec": {}, "status": {}},
    }
    return {"metadata": {"name": name, "namespace": namespace, "uid": uid}, **empty.get(kind, {})}


def wrapped(kind: str, obj: Json) -> Json:
    """*obj* as a resync sends it: with its kind, unlike what comes from a watch."""
    return {"kind": kind, "apiVersion": "argoproj.io/v1alpha1", **obj}


def annotations_of(obj: Json) -> Json:
    """Its annotations."""
    return dict(obj["metadata"].get("annotations") or {})


def source_uid_of(obj: Json) -> str:
    """The UID of its source; empty if it has none."""
    return str(annotations_of(obj).get(ANNOTATION_SOURCE_UID, ""))


def phase_of(app: Json) -> str:
    """The phase of its operation; empty if it has none."""
    return str(((app.get("status") or {}).get("operationState") or {}).get("phase", ""))


def revision_of(obj: Json) -> str:
    """The revision that it is to be synced to."""
    return str(obj["spec"]["source"]["targetRevision"])


def entry_of(kind: str, obj: Json) -> tuple[str, str, str]:
    """Its line in a list: kind, name, and the UID of its source or else its own."""
    meta, notes = obj["metadata"], annotations_of(obj)
    return kind, meta["name"], notes.get(ANNOTATION_SOURCE_UID, meta.get("uid", ""))


def go_checksum(obj: Json) -> str:
    """The reference's checksum of the specification, or else of the data, in base64 (5.1)."""
    content = obj["spec"] if "spec" in obj else obj.get("data") or {}
    spec = {key: value for key, value in content.items() if key != "destination"}
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for plain, escaped in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        text = text.replace(plain, escaped)
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def go_list_checksum(entries: list[tuple[str, str, str]]) -> str | None:
    """The checksum of a list of (kind, name, uid), in base64."""
    if not entries:
        return None
    lines = sorted("/".join(entry).encode() for entry in entries)
    return base64.b64encode(hashlib.sha256(b"".join(lines)).digest()).decode()
