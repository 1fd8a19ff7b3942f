"""Is an object healthy? Argo CD's answers for the kinds that the stand-in applies. Pure.

https://argo-cd.readthedocs.io/en/stable/operator-manual/health/
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from argocd_agent.demo.merge import Fields, Json, fields_at, number_at, text_at


class Health(StrEnum):
    """From best to worst; an Application is as healthy as the worst of its resources."""

    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    MISSING = "Missing"
    DEGRADED = "Degraded"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One object's health, and why."""

    health: Health
    message: str = ""


RUN_KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "PersistentVolumeClaim"})
_ORDER = list(Health)
_HEALTHY = Verdict(Health.HEALTHY)


def worst(healths: Iterable[Health]) -> Health:
    """The worst of *healths*, `Healthy` of none."""
    return max(healths, key=_ORDER.index, default=Health.HEALTHY)


def health_of(kind: str, live: Fields) -> Verdict | None:
    """The health of *live*; None for kinds that have none (a ConfigMap is neither healthy nor ill)."""
    if text_at(live, "metadata", "deletionTimestamp"):
        return Verdict(Health.PROGRESSING, "Pending deletion")
    match kind:
        case "Deployment" | "StatefulSet" | "DaemonSet":
            return _workload(kind, live)
        case "Service" | "Ingress":
            return _HEALTHY  # no load balancer here to wait for
        case "Job":
            return _job(live)
        case "PersistentVolumeClaim":
            bound = text_at(live, "status", "phase") == "Bound"
            return _HEALTHY if bound else Verdict(Health.PROGRESSING)
        case _:
            return None


def ready_status(kind: str, live: Fields, now: str) -> dict[str, Json] | None:
    """The status that a cluster's controllers and kubelets would report of *live* once it runs.

    None when it says so already, and for kinds that nobody has to run. Behind the demo's API servers is no kubelet.
    """
    generation = number_at(live, "metadata", "generation", default=1)
    wanted = number_at(live, "spec", "replicas", default=1)
    counts: dict[str, Json]
    match kind:
        case "Deployment":
            condition = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
            settled: dict[str, Json] = {"observedGeneration": generation, **counts}
            told: dict[str, Json] = {"conditions": [{**condition, "lastUpdateTime": now, "lastTransitionTime": now}]}
        case "StatefulSet":
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
            settled, told = {"observedGeneration": generation, **counts}, {}
        case "DaemonSet":
            names = ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled")
            counts = dict.fromkeys((*names, "numberReady", "numberAvailable"), 1)
            settled, told = {"observedGeneration": generation, **counts, "numberMisscheduled": 0}, {}
        case "Job":
            settled = {"succeeded": 1}
            told = {"conditions": [{"type": "Complete", "status": "True"}], "startTime": now, "completionTime": now}
        case "PersistentVolumeClaim":
            settled, told = {"phase": "Bound"}, {}
        case _:
            return None
    status = fields_at(live, "status")
    return None if all(status.get(name) == value for name, value in settled.items()) else {**settled, **told}


def _workload(kind: str, live: Fields) -> Verdict:
    generation = number_at(live, "metadata", "generation")
    status = fields_at(live, "status")
    if number_at(status, "observedGeneration") < generation or not status:
        return Verdict(Health.PROGRESSING, "Waiting for rollout to finish: observed generation less than desired")
    if kind == "DaemonSet":
        wanted, ready = number_at(status, "desiredNumberScheduled"), number_at(status, "numberAvailable")
    else:
        wanted = number_at(live, "spec", "replicas", default=1)
        ready = min(number_at(status, "updatedReplicas"), number_at(status, "availableReplicas"))
        if kind == "StatefulSet":
            ready = min(number_at(status, "updatedReplicas"), number_at(status, "readyReplicas"))
    if ready < wanted:
        return Verdict(Health.PROGRESSING, f"Waiting for rollout to finish: {ready} of {wanted} are available")
    return _HEALTHY


def _job(live: Fields) -> Verdict:
    conditions = fields_at(live, "status").get("conditions")
    told = (
        {text_at(one, "type") for one in conditions if text_at(one, "status") == "True"}
        if isinstance(conditions, list)
        else set()
    )
    if "Failed" in told:
        return Verdict(Health.DEGRADED, "Job has failed")
    return _HEALTHY if "Complete" in told else Verdict(Health.PROGRESSING)
