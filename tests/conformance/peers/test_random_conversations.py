"""Ours and a scripted end of the reference under random users, cuts and restarts: at the end both sides agree.

Every seed is a conversation of its own, always the same. The restarts lose what a process of the reference keeps in
memory, and on both ends things change while nobody talks.
"""

import random
from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.resources.objects import Object
from tests.conformance.peers.go_agent import GoAgent
from tests.conformance.peers.go_objects import Json, revision_of, source_uid_of
from tests.conformance.peers.go_principal import GoPrincipal
from tests.conformance.peers.stage import Stage, our_agent, our_principal
from tests.support.objects import an_application
from tests.support.world import passing

NAMES = ("one", "two", "three", "four")
TURNS = 40
FINALIZER = "resources-finalizer.argocd.argoproj.io"
BOTH_TURNS = ("create", "create with a finalizer", "change", "change", "label", "delete", "finalize", "status")
OPERATION_TURNS = ("operate", "begin")
PRINCIPAL_TURNS = (*BOTH_TURNS, *OPERATION_TURNS, "drift", "vanish", "cut", "ours", "theirs")
AGENT_TURNS = (*BOTH_TURNS, *OPERATION_TURNS, "cut", "ours", "theirs")
SEEDS = range(30)


def at_revision(obj: Object, revision: str) -> Object:
    spec = obj.look("spec")
    return obj.with_fields({"spec": encode({**spec, "source": {**spec["source"], "targetRevision": revision}})})


def revision(obj: Object) -> str:
    return str(obj.look("spec")["source"]["targetRevision"])


def status(turn: int) -> Json:
    return {"health": {"status": "Healthy", "message": f"turn {turn}"}}


@pytest.mark.parametrize("seed", SEEDS)
async def test_our_agent_and_a_go_principal_agree_at_the_end(seed: int) -> None:
    chance = random.Random(seed)
    async with our_agent() as stage:
        go = GoPrincipal(seed=100 + seed, echoes=bool(seed % 2))
        await stage.connect(go)

        for turn in range(TURNS):
            go = await _turn_of_principal(stage, go, chance, turn)
            await passing(chance.choice([0.0, 0.05, 0.3, 2]))
        await stage.connect(go)
        for turn in range(3):  # the spoke's controller ends what was asked for, and has the last word
            for name in await stage.side.names():
                await _set_status(stage, name, TURNS + turn)
            await passing(300)

        assert await stage.side.names() == set(go.apps)
        for name, app in go.apps.items():
            mirror = await stage.side.expect(name)
            assert (revision(mirror), mirror.labels) == (revision_of(app), app["metadata"].get("labels") or {})
            assert mirror.annotations["argocd.argoproj.io/source-uid"] == app["metadata"]["uid"]
            assert app["status"] == mirror.look("status")
        assert go.end.writer.is_idle


async def _turn_of_principal(stage: Stage, go: GoPrincipal, chance: random.Random, turn: int) -> GoPrincipal:
    name = chance.choice(NAMES)
    match chance.choice(PRINCIPAL_TURNS):
        case "create" if name not in go.apps:
            go.create(name, f"r{turn}")
        case "create with a finalizer" if name not in go.apps:
            go.create(name, f"r{turn}", finalizers=[FINALIZER])
        case "finalize" if (dying := await stage.side.get(name)) is not None and dying.is_deleting:
            await stage.side.update(dying.with_metadata(finalizers=None))
        case "operate" if name in go.apps and not go.apps[name].get("operation"):
            go.change(name, lambda app: app.update(operation={"sync": {"revision": f"r{turn}"}}))
        case "begin" if await stage.side.get(name) is not None:
            await stage.side.update((await stage.side.expect(name)).with_fields({"operation": None}))
        case "vanish" if await stage.side.get(name) is not None:
            await stage.side.delete(name)
        case "change" if name in go.apps:
            go.set_revision(name, f"r{turn}")
        case "label" if name in go.apps:
            go.change(name, lambda app: app["metadata"].update(labels={"turn": str(turn)}))
        case "delete" if name in go.apps:
            go.delete(name)
        case "status" if await stage.side.get(name) is not None:
            await _set_status(stage, name, turn)
        case "drift" if (mirror := await stage.side.get(name)) is not None and not mirror.is_deleting:
            await stage.side.update(at_revision(mirror, "drifted"))
        case "cut":
            await stage.hang_up()
        case "ours":
            await stage.stop()
            await stage.start()
            await stage.connect(go, seconds=chance.choice([0, 1]))
        case "theirs":
            go = GoPrincipal(go.apps, seed=1000 + 100 * turn, echoes=bool(turn % 2))
            await stage.connect(go, seconds=chance.choice([0, 1]))
        case _:
            if stage.line is None:
                await stage.connect(go, seconds=0.1)
    return go


async def _set_status(stage: Stage, name: str, turn: int) -> None:
    held = await stage.side.expect(name)
    await stage.side.update(held.with_fields({"status": encode(status(turn)), "operation": None}))


@pytest.mark.feature("P-125")
@pytest.mark.parametrize("seed", SEEDS)
async def test_our_principal_and_a_go_agent_agree_at_the_end(seed: int) -> None:
    chance = random.Random(seed)
    async with our_principal() as stage:
        go = GoAgent(seed=100 + seed)
        await stage.connect(go)

        for turn in range(TURNS):
            go = await _turn_of_agent(stage, go, chance, turn)
            await passing(chance.choice([0.0, 0.05, 0.3, 2]))
        await stage.connect(go)
        await passing(30)
        for name in go.apps:
            go.change(name, _saying(status(TURNS)))
        await passing(300)

        assert set(go.apps) == await stage.side.names()
        for name, app in go.apps.items():
            source = await stage.side.expect(name)
            assert (revision_of(app), app["metadata"].get("labels") or {}) == (revision(source), source.labels)
            assert source_uid_of(app) == source.uid
            assert source.look("status") == app["status"]
        assert go.end.writer.is_idle


async def _turn_of_agent(stage: Stage, go: GoAgent, chance: random.Random, turn: int) -> GoAgent:
    name = chance.choice(NAMES)
    held = await stage.side.get(name)
    match chance.choice(AGENT_TURNS):
        case "create" if held is None:
            await stage.side.create(at_revision(an_application(name), f"r{turn}"))
        case "create with a finalizer" if held is None:
            await stage.side.create(at_revision(an_application(name, finalizers=(FINALIZER,)), f"r{turn}"))
        case "finalize" if name in go.apps and go.apps[name]["metadata"].get("deletionTimestamp"):
            go.finalized(name)
        case "operate" if held is not None:
            await stage.side.update(held.with_fields({"operation": encode({"sync": {"revision": f"r{turn}"}})}))
        case "begin" if name in go.apps:
            go.change(name, lambda app: app.pop("operation", None))
        case "change" if held is not None:
            await stage.side.update(at_revision(held, f"r{turn}"))
        case "label" if held is not None:
            await stage.side.update(held.with_metadata(labels={"turn": str(turn)}))
        case "delete" if held is not None:
            await stage.side.delete(name)
        case "status" if name in go.apps:
            go.change(name, _saying(status(turn)))
        case "cut":
            await stage.hang_up()
        case "ours":
            await stage.stop()
            await stage.start()
            await stage.connect(go, seconds=chance.choice([0, 1]))
        case "theirs":
            go = GoAgent(go.apps, seed=1000 + 100 * turn)
            await stage.connect(go, seconds=chance.choice([0, 1]))
        case _:
            if stage.line is None:
                await stage.connect(go, seconds=0.1)
    return go


def _saying(said: Json) -> Any:
    return lambda app: app.update(status=dict(said))
