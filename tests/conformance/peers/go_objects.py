"""Applications as the reference holds them: plain JSON, with what Go adds when it encodes its types."""

import base64
import copy
import hashlib
import json
from typing import Any

from argocd_agent.protocol.names import ANNOTATION_SOURCE_UID

Json = dict[str, Any]

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


def stub(name: str, namespace: str, uid: str) -> Json:
    """What a Go principal sends as the object of a deletion that a resync found (5.5)."""
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": uid},
        "spec": {"destination": {}, "project": ""},
        "status": copy.deepcopy(EMPTY_STATUS),
    }


def annotations_of(obj: Json) -> Json:
    """Its annotations."""
    return dict(obj["metadata"].get("annotations") or {})


def source_uid_of(obj: Json) -> str:
    """The UID of its source; empty if it has none."""
    return str(annotations_of(obj).get(ANNOTATION_SOURCE_UID, ""))


def revision_of(obj: Json) -> str:
    """The revision that it is to be synced to."""
    return str(obj["spec"]["source"]["targetRevision"])


def go_checksum(obj: Json) -> str:
    """The reference's checksum of the specification, in base64 (5.1)."""
    spec = {key: value for key, value in obj["spec"].items() if key != "destination"}
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
