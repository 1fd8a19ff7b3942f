"""What tests of our principal with a scripted Go agent do again and again."""

from argocd_agent.codec import encode
from argocd_agent.resources.objects import Object
from tests.conformance.peers.go_agent import GoAgent
from tests.conformance.peers.go_objects import Json
from tests.conformance.peers.stage import Stage
from tests.support.objects import an_application
from tests.support.world import passing

SYNCED = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}


def ran(phase: str) -> dict[str, object]:
    return {"operationState": {"phase": phase, "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}}


def at_revision(obj: Object, revision: str) -> Object:
    spec = obj.look("spec")
    return obj.with_fields({"spec": encode({**spec, "source": {**spec["source"], "targetRevision": revision}})})


async def connected(stage: Stage, *names: str) -> GoAgent:
    """A Go agent that is connected and has the Applications *names*."""
    go = GoAgent()
    await stage.connect(go)
    for name in names:
        await stage.side.create(an_application(name))
    await passing(1)
    return go


async def set_revision(stage: Stage, name: str, revision: str) -> None:
    await stage.side.update(at_revision(await stage.side.expect(name), revision))


def set_status(go: GoAgent, name: str, status: Json) -> None:
    go.change(name, lambda app: app.update(status=status))
