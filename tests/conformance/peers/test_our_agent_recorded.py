"""Our agent in the place of the recorded Go agent: the recorded Go principal says what it said, bytes and times as they
were, and ours must answer what the Go agent answered, step by step. What the spoke's controller or user did in a step
is done on an embedded cluster; the scripted end acks what ours says, as the Go principal did.

Deliberate differences (`DEVIATIONS` has them by step; every other difference fails):

* every event
    Go: `eventid` is name_uid_version
    ours: the type is added to it
    because: two events of one version must not share an ack
* status-update
    Go: the whole object
    ours: name, ids, source UID, refresh, status, operation
    because: a principal reads nothing else
* a write of its own comes back (refresh, finalizer, adoption, drift put right, deletion begun)
    Go: status-update, if its watch is faster than its memory
    ours: nothing: the status is the same
    because: decided by content
* a deletion that the principal ordered
    Go: `delete`, if its watch is faster than its memory
    ours: nothing
    because: nobody waits for it
* live requests, Redis, logs, statistics
    Go: answers
    ours: not compared here
    because: they move no object
* synced-resource-list
    Go: what was there before the records, too
    ours: its checksum is not compared
    because: the records do not say what that was
* after a start
    Go: statuses that changed while it was down
    ours: every status, once
    because: the reference leaves the hub stale
* response-synced-resource
    Go: looked for in the hub's namespace, so asked for with no uid and no checksum
    ours: looked for where it is
    because: fewer updates
* `request-resource-resync`
    Go: asks for `two` twice
    ours: once
    because: once is enough
"""

from collections.abc import Awaitable, Callable

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.events import Target
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import ANNOTATION_REFRESH, ANNOTATION_SOURCE_UID
from argocd_agent.resources.kinds import APPPROJECT
from argocd_agent.resources.objects import Object
from tests.conformance.peers.everything import make
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.recording import AGENT, Recorded, Step, differences, recorded_talk, steps, talk
from tests.conformance.peers.stage import Stage, our_agent
from tests.support.objects import an_application

# By step: what the Go agent said and ours does not, and what ours says and the Go agent did not.
DEVIATIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "managed: refresh annotation set on the hub": (("status-update one",), ()),
    "managed: spec edited on the spoke (drift)": (("status-update one",), ()),
    "managed: the same with adoption-policy never": (("status-update three",), ()),
    "managed: deleted and recreated on the hub at once": (("delete two",), ()),
    "principal starts again": (("request-update Application two",), ()),
    "agents start again": (
        tuple(f"request-update Application {name}" for name in ("one", "two", "late")),
        (
            "status-update late",
            *(f"request-update Application {name}" for name in ("one", "two", "late", "late")),
        ),
    ),
    "managed: cascade deletion (finalizer) on the hub": (("status-update one", "status-update one"), ()),
    "managed: plain deletion on the hub": (("delete two",), ()),
}


@pytest.mark.feature("A-28", "A-34", "A-73")
async def test_our_agent_says_what_the_go_agent_said_but_for_the_deviations() -> None:
    found: dict[str, tuple[list[str], list[str]]] = {}
    async with our_agent(AGENT) as stage:
        go = Recorded(GoEnd(Role.AGENT, "", lambda _: True), "principal")
        for step in steps():
            heard = len(go.end.heard)
            await prepare(stage, go, step)

            await go.play(step)

            difference = differences(talk(go.end.heard[heard:]), recorded_talk(step, "agent"))
            if difference != ([], []):
                found[step.name] = difference
            assert go.end.checker.owed == [], f"un-acked after: {step.name}"

    assert found == {name: (sorted(gone), sorted(new)) for name, (gone, new) in DEVIATIONS.items()}


async def test_the_spoke_ends_up_as_the_recorded_one_did() -> None:
    async with our_agent(AGENT) as stage:
        go = Recorded(GoEnd(Role.AGENT, "", lambda _: True), "principal")
        names: dict[str, set[str]] = {}
        for step in steps():
            await prepare(stage, go, step)
            await go.play(step)
            names[step.name] = await stage.side.names()

    assert names["managed: label ignore-sync added on the hub"] == set()
    assert names["managed: deleted and recreated on the hub at once"] == {"one", "two", "three"}
    assert names["principal starts again"] == {"one", "two", "late"}
    assert names["managed: plain deletion on the hub"] == set()


def at_revision(obj: Object, revision: str) -> Object:
    spec = obj.look("spec")
    return obj.with_fields({"spec": encode({**spec, "source": {**spec["source"], "targetRevision": revision}})})


async def write_as_recorded(stage: Stage, step: Step) -> None:
    """What the controller wrote: what the Go agent told of it."""
    told = step.objects("agent", "one")[-1]
    held = await stage.side.expect("one")
    operation = encode(told["operation"]) if told.get("operation") else None
    written = held.with_fields({"status": encode(told["status"]), "operation": operation})
    refresh = (told["metadata"].get("annotations") or {}).get(ANNOTATION_REFRESH)
    await stage.side.update(written.with_annotations({ANNOTATION_REFRESH: refresh}))


async def edit(stage: Stage, _: Step) -> None:
    await stage.side.update(at_revision(await stage.side.expect("one"), "drifted"))


async def delete(stage: Stage, _: Step) -> None:
    await stage.side.delete("one")


async def make_by_hand(stage: Stage, step: Step) -> None:
    (told,) = {obj["metadata"]["name"]: obj for obj in step.objects("principal")}.values()
    await stage.side.create(an_application(told["metadata"]["name"], spec=told["spec"]))


async def finalize(stage: Stage, _: Step) -> None:
    await stage.side.update((await stage.side.expect("one")).with_metadata(finalizers=None))


async def adopted(stage: Stage, step: Step) -> None:
    """What was there before: the hub's project, which this agent has had since an earlier start."""
    told = step.objects("principal", "default", Target.APPPROJECT)[0]
    notes = {ANNOTATION_SOURCE_UID: told["metadata"]["uid"]}
    await make(stage.cluster, APPPROJECT, {**told, "metadata": {**told["metadata"], "annotations": notes}})


DONE_HERE: dict[str, Callable[[Stage, Step], Awaitable[None]]] = {
    "agents connect for the first time": adopted,
    "managed: status written on the spoke": write_as_recorded,
    "managed: spoke's controller removes the refresh annotation": write_as_recorded,
    "managed: spoke runs the operation": write_as_recorded,
    "managed: spoke ends the operation": write_as_recorded,
    "managed: spec edited on the spoke (drift)": edit,
    "managed: application deleted on the spoke (drift)": delete,
    "managed: application exists on the spoke, then is created on the hub (adoption)": make_by_hand,
    "managed: the same with adoption-policy never": make_by_hand,
    "managed: spoke's controller removes the finalizer": finalize,
}


NEW_STREAM = ("agents connect for the first time", "principal starts again", "agents start again", "the link is cut")


async def prepare(stage: Stage, go: Recorded, step: Step) -> None:
    if step.name == "agents start again":
        await stage.stop()
        held = at_revision(await stage.side.expect("one"), "edited-while-down")
        told = next(obj for obj in step.objects("agent", "one"))
        await stage.side.update(held.with_fields({"status": encode(told["status"])}))
        await stage.start()
    if step.name in DONE_HERE:
        await DONE_HERE[step.name](stage, step)
    if step.name.startswith(NEW_STREAM):
        await stage.connect(go, seconds=0.1)
