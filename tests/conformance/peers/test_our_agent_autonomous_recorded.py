"""Our autonomous agent in the place of the recorded one: the recorded Go principal says what it said, bytes and times
as they were, and ours must say what the Go agent said, step by step. What users of the spoke did in a step is done on
an embedded cluster whose objects have the recorded UIDs; the scripted end acks what ours says, as the Go principal did.

Deliberate differences (`DEVIATIONS` has them by step; every other difference fails):

* after a start
    Go: every object as made, and once more as changed
    ours: once
    because: once is enough
* a project that the principal asks for
    Go: the edition that a managed agent of its name would get, without destinations that do not name it
    ours: the project as it is
    because: the hub would lose its destinations
* a refresh for an Application without annotations
    Go: never acked
    ours: written, and told
    because: it can be done
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.events import Target
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.names import ANNOTATION_REFRESH
from argocd_agent.resources.kinds import APPPROJECT
from argocd_agent.resources.objects import Object, decode_object
from tests.conformance.peers.everything import change, contents, make, remove
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.recording import AUTONOMOUS, Recorded, Step, differences, recorded_talk, steps, talk
from tests.conformance.peers.stage import Stage, our_agent
from tests.support.world import passing

# By step: what the Go agent said and ours does not, and what ours says and the Go agent did not.
DEVIATIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "agents connect for the first time": (("appproject spec-update default",), ()),
    "autonomous: refresh annotation set on the hub": ((), ("spec-update solo",)),
    "principal starts again": (("appproject spec-update mine",), ("appproject spec-update mine",)),
    "agents start again": (
        ("appproject spec-update default", "appproject spec-update mine"),
        ("appproject spec-update mine",),
    ),
}


@pytest.mark.feature("A-51", "A-57", "A-77", "A-78")
async def test_our_agent_says_what_the_autonomous_go_agent_said_but_for_the_deviations() -> None:
    found: dict[str, tuple[list[str], list[str]]] = {}
    async with our_agent(AUTONOMOUS, mode=Mode.AUTONOMOUS) as stage:
        go = Recorded(GoEnd(Role.AGENT, "", lambda _: True, mode=Mode.AUTONOMOUS), "principal")
        for step in steps("autonomous"):
            heard = len(go.end.heard)
            await prepare(stage, go, step)

            await go.play(step)

            said = talk(go.end.heard[heard:], Mode.AUTONOMOUS)
            difference = differences(said, recorded_talk(step, "agent", Mode.AUTONOMOUS))
            if difference != ([], []):
                found[step.name] = difference
            assert go.end.checker.owed == [], f"un-acked after: {step.name}"

    assert found == {name: (sorted(gone), sorted(new)) for name, (gone, new) in DEVIATIONS.items()}


async def test_the_spoke_is_as_its_users_left_it() -> None:
    async with our_agent(AUTONOMOUS, mode=Mode.AUTONOMOUS) as stage:
        go = Recorded(GoEnd(Role.AGENT, "", lambda _: True, mode=Mode.AUTONOMOUS), "principal")
        for step in steps("autonomous"):
            await prepare(stage, go, step)
            await go.play(step)

        assert await stage.side.names() == set()
        assert set((await contents(stage.cluster))["AppProject"]) == {"default"}


async def created(stage: Stage, told: dict[str, Any]) -> None:
    """Make it on the spoke, with the UID that it had."""
    stage.uids.coming.append(told["metadata"]["uid"])
    wanted = decode_object(encode(told))
    await stage.side.create(Object(wanted.metadata, {field: wanted.fields[field] for field in ("spec", "status")}))


async def as_recorded(stage: Stage, told: dict[str, Any]) -> None:
    """Write on the spoke what the Go agent told of it."""
    wanted, held = decode_object(encode(told)), await stage.side.expect(told["metadata"]["name"])
    await stage.side.update(held.with_fields({field: wanted.fields[field] for field in ("spec", "status")}))


async def project(stage: Stage, step: Step, name: str) -> None:
    told = step.objects("agent", name, Target.APPPROJECT)[0]
    stage.uids.coming.append(told["metadata"]["uid"])
    await make(stage.cluster, APPPROJECT, told)


async def default_there(stage: Stage, step: Step) -> None:
    """What was there before."""
    await project(stage, step, "default")


async def solo_made(stage: Stage, step: Step) -> None:
    await created(stage, step.objects("agent", "solo")[0])


async def solo_changed(stage: Stage, step: Step) -> None:
    await as_recorded(stage, step.objects("agent", "solo")[-1])


async def mine_made(stage: Stage, step: Step) -> None:
    await project(stage, step, "mine")


async def mine_changed(stage: Stage, _: Step) -> None:
    await change(stage.cluster, APPPROJECT, "mine", lambda spec: spec.update(description="d"))


async def while_principal_is_down(stage: Stage, step: Step) -> None:
    await stage.side.update((await stage.side.expect("solo")).with_annotations({ANNOTATION_REFRESH: None}))
    await solo_changed(stage, step)
    await created(stage, step.objects("agent", "solo2")[0])


async def while_down(stage: Stage, _: Step) -> None:
    await stage.side.delete("solo2")


async def deleted(stage: Stage, _: Step) -> None:
    await stage.side.delete("solo")
    await passing(0.5)
    await remove(stage.cluster, APPPROJECT, "mine")


DONE_HERE: dict[str, Callable[[Stage, Step], Awaitable[None]]] = {
    "agents connect for the first time": default_there,
    "autonomous: application created on the spoke": solo_made,
    "autonomous: status written on the spoke": solo_changed,
    "autonomous: spec updated on the spoke": solo_changed,
    "autonomous: AppProject created on the spoke": mine_made,
    "autonomous: AppProject updated on the spoke": mine_changed,
    "principal starts again": while_principal_is_down,
    "agents start again": while_down,
    "autonomous: application and AppProject deleted on the spoke": deleted,
}
NEW_STREAM = ("agents connect for the first time", "principal starts again", "agents start again")


async def prepare(stage: Stage, go: Recorded, step: Step) -> None:
    """What was done on the spoke in *step*; with the principal or the agent down, if it was."""
    is_new = step.name in NEW_STREAM
    if step.name == "agents start again":
        await stage.stop()
    elif is_new:
        await stage.hang_up()
    if step.name in DONE_HERE:
        await DONE_HERE[step.name](stage, step)
    if step.name == "agents start again":
        await stage.start()
    if is_new:
        await stage.connect(go, seconds=0.1)
