"""Our principal in the place of the recorded Go principal: the recorded Go agent says what it said, bytes and times as
they were, and ours must say what the Go principal said, step by step. What users did on the hub in a step is done on an
embedded cluster whose Applications have the recorded UIDs; the scripted end acks what ours says, as the Go agent did.

Deliberate differences (`DEVIATIONS` has them by step; every other difference fails):

* every event
    Go: `eventid` is name_uid_version
    ours: the type is added to it
    because: two events of one version must not share an ack
* spec-update, delete
    Go: the whole object
    ours: ids and spec; ids
    because: an agent ignores the status of an update
* set-operation
    Go: the whole object, after a spec-update with the same ids
    ours: ids, spec, operation, alone
    because: the specification is the same
* a status has been written
    Go: spec-update, if its watch is faster than its memory
    ours: nothing
    because: decided by content
* the spoke took the refresh away
    Go: spec-update
    ours: nothing
    because: likewise
* after its start
    Go: every Application is created twice (list, and cluster Secret)
    ours: once
    because: once is enough
    the same of projects and repositories: made, where the Go principal said changed
* a resync of projects
    Go: their copy differs by construction, so they are sent once more for each question
    ours: the edition is compared, so what is equal is not sent
    because: fewer updates
* a list
    Go: Applications, and repositories made since its start
    ours: all that the agent is to have
    because: what is missing there must be found
* live requests, Redis, logs
    Go: sent
    ours: not compared here
    because: they move no object
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.events import Target
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import AGENT_SOURCE
from argocd_agent.resources.kinds import APPPROJECT, REPOSITORY
from argocd_agent.resources.objects import Object, decode_object
from tests.conformance.peers.everything import change, make, remove
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.recording import (
    AGENT,
    PRINCIPAL,
    Recorded,
    Step,
    differences,
    recorded_talk,
    steps,
    talk,
)
from tests.conformance.peers.stage import Stage, our_principal
from tests.support.world import passing

# By step: what the Go principal said and ours does not, and what ours says and the Go principal did not.
DEVIATIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "managed: status written on the spoke": (("spec-update one",), ()),
    "managed: spoke's controller removes the refresh annotation": (("spec-update one",), ()),
    "managed: sync operation set on the hub": (("spec-update one",), ()),
    "managed: the same with adoption-policy never": (("spec-update three",), ()),
    "agents connect for the first time": (
        ("appproject spec-update default", "appproject spec-update default"),
        (),
    ),
    "principal starts again": (
        (
            "appproject spec-update default",
            "appproject spec-update team",
            "create one",
            "create two",
            "create late",
        ),
        (),
    ),
    "agents start again": (
        ("appproject spec-update default", "appproject spec-update team"),
        (
            "response-synced-resource AppProject default",
            "response-synced-resource AppProject team",
            "response-synced-resource Repository creds-one",
            "response-synced-resource Repository repo-one",
        ),
    ),
}


@pytest.mark.feature("P-29", "P-82", "P-125")
async def test_our_principal_says_what_the_go_principal_said_but_for_the_deviations() -> None:
    found: dict[str, tuple[list[str], list[str]]] = {}
    async with our_principal(AGENT, principal_uid=PRINCIPAL) as stage:
        go = Recorded(GoEnd(Role.PRINCIPAL, AGENT_SOURCE, lambda _: True), "agent")
        for step in steps():
            heard = len(go.end.heard)
            await prepare(stage, go, step)

            await go.play(step)

            difference = differences(talk(go.end.heard[heard:]), recorded_talk(step, "principal"))
            if difference != ([], []):
                found[step.name] = difference
            assert go.end.checker.owed == [], f"un-acked after: {step.name}"

    assert found == {name: (sorted(gone), sorted(new)) for name, (gone, new) in DEVIATIONS.items()}


async def test_the_hub_ends_up_as_the_recorded_one_did() -> None:
    told: dict[str, Any] = {}
    names: dict[str, set[str]] = {}
    async with our_principal(AGENT, principal_uid=PRINCIPAL) as stage:
        go = Recorded(GoEnd(Role.PRINCIPAL, AGENT_SOURCE, lambda _: True), "agent")
        for step in steps():
            await prepare(stage, go, step)
            await go.play(step)
            names[step.name] = await stage.side.names()
            if one := await stage.side.get("one"):
                told[step.name] = one.look("status")

    assert told["managed: status written on the spoke"]["health"] == {"status": "Healthy"}
    assert told["managed: spoke runs the operation"]["operationState"]["phase"] == "Running"
    assert told["managed: spoke ends the operation"]["operationState"]["phase"] == "Failed"
    assert told["principal starts again"]["operationState"]["phase"] == "Failed"
    assert "one" not in names["managed: spoke's controller removes the finalizer"]
    assert names["managed: plain deletion on the hub"] == set()


async def as_recorded(stage: Stage, name: str, told: dict[str, Any]) -> None:
    """Write on the hub what the Go principal told of it."""
    wanted = decode_object(encode(told))
    held = await stage.side.expect(name)
    metadata = {field: getattr(wanted.metadata, field) for field in ("labels", "annotations", "finalizers")}
    changed = held.with_metadata(**metadata).with_fields({"spec": wanted.fields["spec"]})
    if told.get("operation"):
        changed = changed.with_fields({"operation": wanted.fields["operation"]})
    if (told["status"].get("operationState") or {}).get("phase") == "Terminating":
        changed = changed.with_fields({"status": wanted.fields["status"]})
    await stage.side.update(changed)


async def create(stage: Stage, told: dict[str, Any]) -> None:
    """Make it on the hub, with the UID that it had."""
    stage.uids.coming.append(told["metadata"]["uid"])
    wanted: Object = decode_object(encode(told))
    fields = {field: wanted.fields[field] for field in ("spec", "status")}
    await stage.side.create(Object(wanted.metadata, fields))


async def default_project(stage: Stage, step: Step) -> None:
    """What was there before: the records have the edition that the agent got of it."""
    told = step.objects("principal", "default", Target.APPPROJECT)[0]
    await make_project(stage, told)


async def make_project(stage: Stage, told: dict[str, Any]) -> None:
    """For every agent, as the recorded one was."""
    stage.uids.coming.append(told["metadata"]["uid"])
    spec = {**told["spec"], "destinations": [{"server": "*", "namespace": "*"}], "sourceNamespaces": ["*"]}
    await make(stage.cluster, APPPROJECT, {**told, "spec": spec})


async def team_made(stage: Stage, step: Step) -> None:
    await make_project(stage, step.objects("principal", "team", Target.APPPROJECT)[0])


async def team_described(stage: Stage, _: Step) -> None:
    await change(stage.cluster, APPPROJECT, "team", lambda spec: spec.update(description="d"))


async def secret_made(stage: Stage, step: Step) -> None:
    (told,) = step.objects("principal", target=Target.REPOSITORY)
    stage.uids.coming.append(told["metadata"]["uid"])
    await make(stage.cluster, REPOSITORY, told)


async def secret_changed(stage: Stage, step: Step) -> None:
    (told,) = step.objects("principal", target=Target.REPOSITORY)
    await change(stage.cluster, REPOSITORY, told["metadata"]["name"], lambda data: data.update(told["data"]))


async def shared_removed(stage: Stage, _: Step) -> None:
    for kind, name in ((REPOSITORY, "repo-one"), (REPOSITORY, "creds-one"), (APPPROJECT, "team")):
        await remove(stage.cluster, kind, name)


async def created(stage: Stage, step: Step) -> None:
    await create(stage, step.objects("principal")[0])


async def updated(stage: Stage, step: Step) -> None:
    await as_recorded(stage, "one", step.objects("principal", "one")[-1])


async def hidden(stage: Stage, step: Step) -> None:
    held = await stage.side.expect("one")
    labels = {**held.labels, "argocd-agent.argoproj-labs.io/ignore-sync": "true"}
    await stage.side.update(held.with_metadata(labels=labels))


async def made_anew(stage: Stage, step: Step) -> None:
    await stage.side.delete("two")
    await create(stage, step.objects("principal", "two")[-1])


async def finalizer_then_deleted(stage: Stage, step: Step) -> None:
    await as_recorded(stage, "one", step.objects("principal", "one")[0])
    await passing(0.2)
    await stage.side.delete("one")


async def deleted(stage: Stage, _: Step) -> None:
    await stage.side.delete("two")
    await stage.side.delete("late")


async def while_down(stage: Stage, step: Step) -> None:
    await as_recorded(stage, "one", step.objects("principal", "one")[0])
    await create(stage, step.objects("principal", "late")[0])
    await stage.side.delete("three")


async def two_changed(stage: Stage, step: Step) -> None:
    await as_recorded(stage, "two", step.objects("principal", "two")[0])


DONE_HERE: dict[str, Callable[[Stage, Step], Awaitable[None]]] = {
    "agents connect for the first time": default_project,
    "managed: AppProject created on the hub": team_made,
    "managed: AppProject updated on the hub": team_described,
    "managed: repository Secret created on the hub": secret_made,
    "managed: repository Secret updated on the hub": secret_changed,
    "managed: repo-creds Secret created on the hub": secret_made,
    "managed: repositories, project, key removed on the hub": shared_removed,
    "managed: application created on the hub": created,
    "managed: spec updated on the hub": updated,
    "managed: labels and annotations changed on the hub": updated,
    "managed: refresh annotation set on the hub": updated,
    "managed: sync operation set on the hub": updated,
    "managed: operation terminated on the hub": updated,
    "managed: label ignore-sync added on the hub": hidden,
    "managed: label ignore-sync removed on the hub": updated,
    "managed: application exists on the spoke, then is created on the hub (adoption)": created,
    "managed: the same with adoption-policy never": created,
    "managed: deleted and recreated on the hub at once": made_anew,
    "principal starts again": while_down,
    "agents start again": two_changed,
    "the link is cut for five seconds (recorder restarted), 'two' updated on the hub meanwhile": two_changed,
    "managed: cascade deletion (finalizer) on the hub": finalizer_then_deleted,
    "managed: plain deletion on the hub": deleted,
}
NEW_STREAM = ("agents connect for the first time", "principal starts again", "agents start again", "the link is cut")


async def prepare(stage: Stage, go: Recorded, step: Step) -> None:
    """What was done on the hub in *step*; with the principal, the agents or the link down, if they were."""
    is_new = step.name.startswith(NEW_STREAM)
    if step.name == "principal starts again":
        await stage.stop()
    elif is_new:
        await stage.hang_up()
    if step.name in DONE_HERE:
        await DONE_HERE[step.name](stage, step)
    if step.name == "principal starts again":
        await stage.start()
    if is_new:
        await stage.connect(go, seconds=0.1)
