"""Our principal in the place of the recorded one: the recorded autonomous Go agent says what it said, bytes and times
as they were, and ours must say what the Go principal said, step by step. What users of the hub did in a step is done
on an embedded cluster; the scripted end acks what ours says.

Deliberate differences (`DEVIATIONS` has them by step; every other difference fails):

* a refresh of an Application without annotations
    Go: sent, over and over: the agent can neither carry it out nor acks it
    ours: nothing, and a warning
    because: everything else about the Application would wait behind it
* an operation of a user
    Go: never sent, behind such a refresh
    ours: `set-operation`
    because: nothing is in its way
* its own write of a mirror, a mirror that is being deleted
    Go: spec-update, if its watch is faster than its memory
    ours: nothing
    because: an agent takes only a refresh and an operation
* projects after its start
    Go: not known; of one that is listed it asks for the name without the prefix, unless it has one of its own
    ours: asked about as of all mirrors, by the name that they have on the hub
    because: what was deleted meanwhile must be found
* its own mirror of `default`
    Go: there before the records, and so neither known nor asked about
    ours: made with the first word about it
    because: the hub was empty
"""

from collections.abc import Awaitable, Callable

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.names import AGENT_SOURCE, ANNOTATION_REFRESH
from tests.conformance.peers.everything import contents
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.recording import (
    AUTONOMOUS,
    PRINCIPAL,
    Recorded,
    Step,
    differences,
    recorded_talk,
    steps,
    talk,
)
from tests.conformance.peers.stage import Stage, our_principal

ASKED = "request-update AppProject agent-autonomous"
# By step: what the Go principal said and ours does not, and what ours says and the Go principal did not.
DEVIATIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "agents connect for the first time": ((), (f"{ASKED}-default",)),
    "autonomous: refresh annotation set on the hub": (("spec-update solo",), ()),
    "autonomous: sync operation set on the hub": ((), ("set-operation solo",)),
    "autonomous: mirror deleted on the hub (drift)": (("spec-update solo",), ()),
    "managed: Redis get, miss": (("spec-update solo",), ()),
    "principal starts again": (
        ("request-update AppProject mine", "spec-update solo", "spec-update solo", "spec-update solo2"),
        (f"{ASKED}-default", f"{ASKED}-default", f"{ASKED}-mine", f"{ASKED}-mine"),
    ),
    "agents start again": (
        (f"{ASKED}-mine", "spec-update solo", "spec-update solo2"),
        (f"{ASKED}-default", f"{ASKED}-mine"),
    ),
    "autonomous: application and AppProject deleted on the spoke": (("spec-update solo",), ()),
}


@pytest.mark.feature("P-64", "P-75", "P-83", "P-125")
async def test_our_principal_says_what_the_go_principal_said_to_an_autonomous_agent_but_for_the_deviations() -> None:
    found: dict[str, tuple[list[str], list[str]]] = {}
    async with our_principal(AUTONOMOUS, principal_uid=PRINCIPAL, mode=Mode.AUTONOMOUS) as stage:
        go = Recorded(GoEnd(Role.PRINCIPAL, AGENT_SOURCE, lambda _: True, mode=Mode.AUTONOMOUS), "agent")
        for step in steps("autonomous"):
            heard = len(go.end.heard)
            await prepare(stage, go, step)

            await go.play(step)

            said = talk(go.end.heard[heard:], Mode.AUTONOMOUS)
            difference = differences(said, recorded_talk(step, "principal", Mode.AUTONOMOUS))
            if difference != ([], []):
                found[step.name] = difference
            assert go.end.checker.owed == [], f"un-acked after: {step.name}"

    assert found == {name: (sorted(gone), sorted(new)) for name, (gone, new) in DEVIATIONS.items()}


async def test_the_hub_shows_what_the_recorded_one_did() -> None:
    names: dict[str, set[str]] = {}
    projects: dict[str, set[str]] = {}
    async with our_principal(AUTONOMOUS, principal_uid=PRINCIPAL, mode=Mode.AUTONOMOUS) as stage:
        go = Recorded(GoEnd(Role.PRINCIPAL, AGENT_SOURCE, lambda _: True, mode=Mode.AUTONOMOUS), "agent")
        for step in steps("autonomous"):
            await prepare(stage, go, step)
            await go.play(step)
            names[step.name] = await stage.side.names()
            projects[step.name] = set((await contents(stage.cluster))["AppProject"])

    assert names["autonomous: mirror deleted on the hub (drift)"] == {"solo"}
    assert names["principal starts again"] == {"solo", "solo2"}
    assert names["agents start again"] == {"solo"}
    assert projects["agents start again"] == {"agent-autonomous-default", "agent-autonomous-mine"}
    last = "autonomous: application and AppProject deleted on the spoke"
    assert (names[last], projects[last]) == (set(), {"agent-autonomous-default"})


async def refreshed(stage: Stage, _: Step) -> None:
    await stage.side.update((await stage.side.expect("solo")).with_annotations({ANNOTATION_REFRESH: "hard"}))


async def operated(stage: Stage, _: Step) -> None:
    held = await stage.side.expect("solo")
    await stage.side.update(held.with_fields({"operation": encode({"sync": {"revision": "v1"}})}))


async def edited(stage: Stage, _: Step) -> None:
    held = await stage.side.expect("solo")
    await stage.side.update(held.with_fields({"spec": encode({**held.look("spec"), "project": "other"})}))


async def deleted(stage: Stage, _: Step) -> None:
    await stage.side.delete("solo")


DONE_HERE: dict[str, Callable[[Stage, Step], Awaitable[None]]] = {
    "autonomous: refresh annotation set on the hub": refreshed,
    "autonomous: sync operation set on the hub": operated,
    "autonomous: mirror's spec edited on the hub (drift)": edited,
    "autonomous: mirror deleted on the hub (drift)": deleted,
}
NEW_STREAM = ("agents connect for the first time", "principal starts again", "agents start again")


async def prepare(stage: Stage, go: Recorded, step: Step) -> None:
    """What was done on the hub in *step*; with the principal or the agent down, if it was."""
    if step.name == "principal starts again":
        await stage.stop()
        await stage.start()
    if step.name in DONE_HERE:
        await DONE_HERE[step.name](stage, step)
    if step.name in NEW_STREAM:
        await stage.connect(go, seconds=0.1)
