import pytest

from argocd_agent.demo.health import RUN_KINDS, Health, health_of, ready_status, worst
from argocd_agent.demo.merge import Fields

NOW = "2026-01-02T03:04:05Z"


def a_workload(generation: int = 2, replicas: int = 3, **status: int) -> Fields:
    return {"metadata": {"generation": generation}, "spec": {"replicas": replicas}, "status": status}


def test_an_application_is_as_healthy_as_the_worst_of_its_resources() -> None:
    assert worst([Health.HEALTHY, Health.MISSING, Health.PROGRESSING]) is Health.MISSING
    assert worst([Health.DEGRADED, Health.MISSING]) is Health.DEGRADED
    assert worst([]) is Health.HEALTHY


@pytest.mark.parametrize(
    "live",
    [
        a_workload(),
        a_workload(observedGeneration=1, updatedReplicas=3, availableReplicas=3),
        a_workload(observedGeneration=2, updatedReplicas=1, availableReplicas=3),
        a_workload(observedGeneration=2, updatedReplicas=3, availableReplicas=2),
    ],
)
def test_a_deployment_that_is_not_rolled_out_is_progressing(live: Fields) -> None:
    verdict = health_of("Deployment", live)

    assert verdict is not None
    assert verdict.health is Health.PROGRESSING


@pytest.mark.parametrize("kind", sorted(RUN_KINDS))
def test_what_is_marked_as_running_is_healthy_and_is_not_marked_again(kind: str) -> None:
    live = a_workload()
    status = ready_status(kind, live, NOW)
    assert status is not None

    running = {**live, "status": status}

    verdict = health_of(kind, running)
    assert verdict is not None
    assert verdict.health is Health.HEALTHY
    assert ready_status(kind, running, NOW) is None


def test_a_scaled_deployment_is_marked_anew() -> None:
    status = ready_status("Deployment", a_workload(replicas=3), NOW)
    assert status is not None

    scaled = ready_status("Deployment", {**a_workload(generation=3, replicas=5), "status": status}, NOW)

    assert scaled is not None
    assert (scaled["availableReplicas"], scaled["observedGeneration"]) == (5, 3)


def test_a_failed_job_is_degraded() -> None:
    verdict = health_of("Job", {"status": {"conditions": [{"type": "Failed", "status": "True"}]}})

    assert verdict is not None
    assert verdict.health is Health.DEGRADED


def test_what_is_being_deleted_is_progressing() -> None:
    verdict = health_of("ConfigMap", {"metadata": {"deletionTimestamp": NOW}})

    assert verdict is not None
    assert verdict.health is Health.PROGRESSING


def test_kinds_without_health_have_none() -> None:
    assert health_of("ConfigMap", {"metadata": {"name": "x"}}) is None
    assert ready_status("ConfigMap", {}, NOW) is None
