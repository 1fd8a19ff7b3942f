"""What tests of our agent with a scripted Go principal do again and again."""

from collections.abc import Mapping

from argocd_agent.codec import encode
from argocd_agent.resources.objects import Object
from tests.conformance.peers.go_principal import GoPrincipal
from tests.conformance.peers.stage import Stage
from tests.support.world import passing

SYNCED = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}


def ran(phase: str) -> dict[str, object]:
    return {"operationState": {"phase": phase, "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}}


def revision(obj: Object) -> str:
    return str(obj.look("spec")["source"]["targetRevision"])


async def connected(stage: Stage, *names: str, echoes: bool = True) -> GoPrincipal:
    """A Go principal that is connected and whose Applications have arrived."""
    go = GoPrincipal(echoes=echoes)
    await stage.connect(go)
    for name in names:
        go.create(name)
    await passing(1)
    return go


async def write_status(stage: Stage, name: str, status: Mapping[str, object]) -> None:
    await stage.side.update((await stage.side.expect(name)).with_fields({"status": encode(status)}))
    await passing(1)
