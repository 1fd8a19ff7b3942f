"""The status of an Application, in Argo CD's words. Pure; times come in as RFC 3339 text.

https://argo-cd.readthedocs.io/en/stable/operator-manual/ (Application CRD, `status`)
"""

from collections.abc import Iterable
from dataclasses import dataclass

from argocd_agent.demo.comparison import UNKNOWN, ResourceState, app_health, plain, sync_status
from argocd_agent.demo.git import Commit
from argocd_agent.demo.health import Health
from argocd_agent.demo.merge import Fields, Json, fields_at, number_at, text_at
from argocd_agent.demo.model import COMPLETED, PHASE_RUNNING, PHASE_SUCCEEDED, Application, ResourceKey

COMPARISON_ERROR, SYNC_ERROR = "ComparisonError", "SyncError"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one resource in a sync."""

    key: ResourceKey
    status: str  # Synced, Pruned, PruneSkipped or SyncFailed
    message: str
    version: str = ""  # of the object after our write, empty if there is none


def compared_status(
    app: Application, states: tuple[ResourceState, ...], source_type: str, commit: Commit, now: str
) -> dict[str, Json]:
    """The status after a successful comparison."""
    status = {**app.status}
    status["sync"] = {"status": sync_status(states), "revision": commit.sha, "comparedTo": _compared_to(app)}
    status["health"] = _health(app.status, app_health(states), now)
    status["resources"] = [_resource(state) for state in states]
    status["summary"] = _summary(states)
    status["sourceType"] = source_type
    status["controllerNamespace"] = app.object.namespace
    return _with_condition(status, COMPARISON_ERROR, "", now)


def failed_status(app: Application, message: str, now: str) -> dict[str, Json]:
    """The status when the wanted state cannot be known: what was known of the resources stays."""
    status = {**app.status}
    status["sync"] = {**fields_at(app.status, "sync"), "status": UNKNOWN, "comparedTo": _compared_to(app)}
    status["health"] = _health(app.status, Health(text_at(app.status, "health", "status") or Health.HEALTHY), now)
    return _with_condition(status, COMPARISON_ERROR, message, now)


def settle(app: Application, status: dict[str, Json], refreshed: bool, now: str) -> dict[str, Json]:
    """*status* with the time of its comparison, if it says anything new or was asked for."""
    if refreshed or status != app.status or "reconciledAt" not in status:
        status["reconciledAt"] = now
    return status


def started_operation(app: Application, now: str) -> dict[str, Json]:
    """`operationState` of an operation that begins."""
    return {
        "operation": app.raw_operation,
        "phase": PHASE_RUNNING,
        "startedAt": now,
        "message": "one or more tasks are running",
    }


def finished_operation(
    started: Fields,
    phase: str,
    message: str,
    results: Iterable[Result],
    app: Application,
    commit: Commit | None,
    now: str,
) -> dict[str, Json]:
    """`operationState` of an operation that is over."""
    synced: dict[str, Json] = {"resources": [_result(result) for result in results], "source": _source(app)}
    if commit is not None:
        synced["revision"] = commit.sha
    return {**started, "phase": phase, "message": message, "finishedAt": now, "syncResult": synced}


def with_history(app: Application, status: dict[str, Json], operation: Fields, now: str) -> dict[str, Json]:
    """*status* with a successful *operation* in its history, the oldest entries dropped above the limit."""
    if text_at(operation, "phase") != PHASE_SUCCEEDED:
        return status
    held = status.get("history")
    history = list(held) if isinstance(held, list) else []
    last = max((number_at(entry, "id", default=-1) for entry in history), default=-1)
    entry: dict[str, Json] = {
        "id": last + 1,
        "revision": text_at(operation, "syncResult", "revision"),
        "source": _source(app),
        "deployStartedAt": text_at(operation, "startedAt"),
        "deployedAt": now,
        "initiatedBy": fields_at(app.raw_operation, "initiatedBy"),
    }
    status["history"] = [*history, entry][-max(app.spec.revision_history_limit, 1) :]
    return status


def last_attempt(app: Application, sha: str) -> tuple[bool, bool]:
    """Whether the last operation was of revision *sha*, with the source as it is now, and whether it succeeded."""
    state = fields_at(app.status, "operationState")
    result = fields_at(state, "syncResult")
    phase = text_at(state, "phase")
    attempted = phase in COMPLETED and text_at(result, "revision") == sha and result.get("source") == _source(app)
    return attempted, phase == PHASE_SUCCEEDED


def _source(app: Application) -> Fields:
    return fields_at(app.object.look("spec"), "source")


def _compared_to(app: Application) -> Fields:
    return {"source": _source(app), "destination": fields_at(app.object.look("spec"), "destination")}


def _health(before: Fields, health: Health, now: str) -> Fields:
    held = fields_at(before, "health")
    since = text_at(held, "lastTransitionTime") if text_at(held, "status") == health else ""
    return {"status": health.value, "lastTransitionTime": since or now}


def _identity(key: ResourceKey) -> dict[str, Json]:
    api = key.api
    return {
        "group": api.group,
        "version": api.version,
        "kind": api.kind,
        "namespace": key.namespace,
        "name": key.name,
    }


def _resource(state: ResourceState) -> Fields:
    named = {field: value for field, value in _identity(state.key).items() if value}  # as Go leaves out what is empty
    resource = named | {"status": sync_status([state])}
    if state.verdict is not None:
        told = {"status": state.verdict.health.value, "message": state.verdict.message}
        resource["health"] = {field: value for field, value in told.items() if value}
    if state.requires_pruning:
        resource["requiresPruning"] = True
    return resource


def _result(result: Result) -> Fields:
    phase = {"hookPhase": "Failed" if result.status == "SyncFailed" else "Running", "syncPhase": "Sync"}
    # The CRD wants every field of the identity here, the empty ones too.
    return _identity(result.key) | {"status": result.status, "message": result.message, **phase}


def _summary(states: Iterable[ResourceState]) -> Fields:
    images: set[str] = set()
    for state in states:
        if state.live is not None:
            containers = fields_at(plain(state.live, state.key.api), "spec", "template", "spec").get("containers")
            images |= {text_at(one, "image") for one in containers} if isinstance(containers, list) else set()
    named: list[Json] = [image for image in sorted(images) if image]
    return {"images": named} if named else {}


def _with_condition(status: dict[str, Json], kind: str, message: str, now: str) -> dict[str, Json]:
    """*status* with the condition *kind* saying *message*, or without it where there is nothing to say."""
    held = status.get("conditions")
    before = [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []
    kept: list[Json] = [one for one in before if one.get("type") != kind]
    same = next((one for one in before if one.get("type") == kind and one.get("message") == message), None)
    if message:
        kept.append(same or {"type": kind, "message": message, "lastTransitionTime": now})
    status.pop("conditions", None)
    return {**status, "conditions": kept} if kept else status
