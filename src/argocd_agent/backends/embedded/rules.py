"""What single built-in kinds do on a write, beyond what all do: one row of functions for each. Pure.

`prepare` sees an object as the client sent it, `complete` sees it checked against its schema and fills in what the
server gives, `check` finds what is wrong with the result. Kinds without a row have nothing of their own.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from argocd_agent.backends.embedded import faults
from argocd_agent.backends.embedded.faults import Cause
from argocd_agent.backends.embedded.kinds import (
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    REPLICASETS,
    SERVICES,
    STATEFULSETS,
)
from argocd_agent.backends.embedded.values import Json, JsonObject, canonical, dig
from argocd_agent.codec import decode_any
from argocd_agent.resources.kinds import CONFIGMAPS, CRDS, NAMESPACES, SECRETS
from argocd_agent.resources.objects import Object

DATA_LIMIT_BYTES = 2**20
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")

Prepare = Callable[[Object], Object]
Complete = Callable[[Object, Object | None, str], Object]  # the object, what is held, the time
Check = Callable[[Object, Object | None], list[Cause]]


def _same(obj: Object) -> Object:
    return obj


def _complete(obj: Object, held: Object | None, now: str) -> Object:
    return obj


def _fine(obj: Object, held: Object | None) -> list[Cause]:
    return []


@dataclass(frozen=True, slots=True)
class Rules:
    """One kind's own behaviour."""

    prepare: Prepare = _same
    complete: Complete = _complete
    check: Check = _fine


def _namespace(obj: Object, held: Object | None, now: str) -> Object:
    labels = {**obj.labels, NAMESPACE_LABEL: obj.name}
    changes: dict[str, bytes | None] = {"spec": canonical({"finalizers": ["kubernetes"]})}
    if held is None:
        changes["status"] = canonical({"phase": "Active"})
    return obj.with_metadata(labels=labels).with_fields(changes)


def _secret_data(obj: Object) -> Object:
    """`stringData` is write-only: its values go to `data`."""
    plain = obj.look("stringData")
    if not isinstance(plain, dict):
        return obj
    encoded = {
        key: base64.b64encode(value.encode()).decode() if isinstance(value, str) else value
        for key, value in plain.items()
        if value is not None
    }
    data = canonical({**(obj.look("data") or {}), **encoded})
    return obj.with_fields({"data": data, "stringData": None})


def _secret_type(obj: Object, held: Object | None, now: str) -> Object:
    return obj if "type" in obj.fields else obj.with_fields({"type": canonical("Opaque")})


def _check_secret(obj: Object, held: Object | None) -> list[Cause]:
    causes = _check_data(obj, held)
    if held is not None and held.fields.get("type") != obj.fields.get("type"):
        causes.append(faults.wrong("type", _raw(obj, "type"), "field is immutable"))
    for key, value in (obj.look("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise faults.bad_request(
                f'Secret in version "v1" cannot be handled as a Secret: illegal base64 data in data[{key}]: {error}'
            ) from error
    return causes


def _check_data(obj: Object, held: Object | None) -> list[Cause]:
    """Keys, size and immutability of ConfigMaps and Secrets."""
    causes = []
    sizes = 0
    for field in ("data", "binaryData"):
        for key, value in (obj.look(field) or {}).items():
            sizes += len(value.encode()) if field == "data" and "binaryData" not in obj.fields else len(value)
            if not _DATA_KEY.fullmatch(key) or key in (".", ".."):
                why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                causes.append(faults.wrong(f"{field}[{key}]", json.dumps(key), why))
    if sizes > DATA_LIMIT_BYTES:
        causes.append(Cause("[]", "FieldValueTooLong", f"Too long: may not be more than {DATA_LIMIT_BYTES} bytes"))
    if held is not None and held.fields.get("immutable") == b"true":
        changed = [
            name for name in ("data", "binaryData", "immutable") if obj.fields.get(name) != held.fields.get(name)
        ]
        causes += [
            Cause(name, "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")
            for name in changed
        ]
    return causes


def _workload(defaults: JsonObject) -> Complete:
    def complete(obj: Object, held: Object | None, now: str) -> Object:
        spec = obj.look("spec")
        missing = {name: value for name, value in defaults.items() if not spec or spec.get(name) in (None, {}, "")}
        return obj.with_fields({"spec": canonical({**(spec or {}), **missing})}) if missing else obj

    return complete


def _check_workload(obj: Object, held: Object | None) -> list[Cause]:
    """The selector must select the template's pods, and never change."""
    if held is not None and held.fields.get("spec") == obj.fields.get("spec"):
        return []
    spec: Json = obj.look("spec")
    wanted, labels = dig(spec, "selector", "matchLabels"), dig(spec, "template", "metadata", "labels")
    causes = []
    if isinstance(wanted, dict) and not (isinstance(labels, dict) and wanted.items() <= labels.items()):
        why = "`selector` does not match template `labels`"
        causes.append(faults.wrong("spec.template.metadata.labels", canonical(labels).decode(), why))
    if held is not None and dig(held.look("spec"), "selector") != dig(spec, "selector"):
        causes.append(faults.wrong("spec.selector", canonical(dig(spec, "selector")).decode(), "field is immutable"))
    return causes


def _pod(obj: Object, held: Object | None, now: str) -> Object:
    return obj if held is not None else obj.with_fields({"status": canonical({"phase": "Pending"})})


def _service(obj: Object, held: Object | None, now: str) -> Object:
    completed = _workload({"sessionAffinity": "None", "type": "ClusterIP"})(obj, held, now)
    return (
        completed
        if "status" in completed.fields
        else completed.with_fields({"status": canonical({"loadBalancer": {}})})
    )


def _definition(obj: Object, held: Object | None, now: str) -> Object:
    """A CustomResourceDefinition is served at once, and says so."""
    spec: JsonObject = decode_any(obj.fields["spec"])
    kind = str(dig(spec, "names", "kind"))
    given = dig(spec, "names")
    names: JsonObject = {
        "singular": kind.lower(),
        "listKind": f"{kind}List",
        **(given if isinstance(given, dict) else {}),
    }
    spec = {"conversion": {"strategy": "None"}, **spec, "names": names}
    versions = spec.get("versions")
    stored = (
        [dig(version, "name") for version in versions if dig(version, "storage")] if isinstance(versions, list) else []
    )
    conditions: list[Json] = [
        {"type": kind_, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now}
        for kind_, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    status: JsonObject = {"acceptedNames": names, "conditions": conditions, "storedVersions": stored}
    if held is not None and isinstance(old := held.look("status"), dict) and old.get("conditions"):
        status["conditions"] = old["conditions"]
    return obj.with_fields({"spec": canonical(spec), "status": canonical(status)})


def _check_definition(obj: Object, held: Object | None) -> list[Cause]:
    spec: Json = obj.look("spec")
    expected = f"{dig(spec, 'names', 'plural')}.{dig(spec, 'group')}"
    if obj.name == expected:
        return []
    return [faults.wrong("metadata.name", json.dumps(obj.name), 'must be spec.names.plural+"."+spec.group')]


def _raw(obj: Object, field: str) -> str:
    return obj.fields.get(field, b"null").decode()


_ROLLING: JsonObject = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
RULES: dict[str, Rules] = {
    NAMESPACES.resource: Rules(complete=_namespace),
    SECRETS.resource: Rules(prepare=_secret_data, complete=_secret_type, check=_check_secret),
    CONFIGMAPS.resource: Rules(check=_check_data),
    PODS.resource: Rules(complete=_pod),
    SERVICES.resource: Rules(complete=_service),
    DEPLOYMENTS.resource: Rules(
        complete=_workload(
            {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, "strategy": _ROLLING}
        ),
        check=_check_workload,
    ),
    REPLICASETS.resource: Rules(complete=_workload({"replicas": 1}), check=_check_workload),
    STATEFULSETS.resource: Rules(
        complete=_workload({"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"}),
        check=_check_workload,
    ),
    DAEMONSETS.resource: Rules(complete=_workload({"revisionHistoryLimit": 10}), check=_check_workload),
    JOBS.resource: Rules(complete=_workload({"backoffLimit": 6, "completions": 1, "parallelism": 1})),
    CRDS.resource: Rules(complete=_definition, check=_check_definition),
}
NO_RULES = Rules()
