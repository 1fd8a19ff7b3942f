"""The scripts against the records: a scripted Go principal and a scripted Go agent, with the users of the recorded
conversations, say what the recorded pair said, step by step: who, target, type, namespace and name.

What depends on who is faster in the reference is listed (`MANAGED`, `AUTONOMOUS`): what was recorded and the scripts do
not say, and what they say and was not recorded. A principal's and an agent's own writes come back to it as changes when
its watch is faster than its memory; two answers of one resync are one where the first is still unsent; the refresh that
an agent cannot write is said again at random times; an object that was adopted is in the agent's list twice.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from argocd_agent.protocol.names import ANNOTATION_ADOPTION_POLICY, ANNOTATION_REFRESH, ANNOTATION_SOURCE_UID
from tests.conformance.peers.go_agent import GoAgent
from tests.conformance.peers.go_autonomous import GoAutonomousAgent
from tests.conformance.peers.go_held import HOME
from tests.conformance.peers.go_mirroring import GoMirroringPrincipal
from tests.conformance.peers.go_objects import HUB, Json, go_application, go_project
from tests.conformance.peers.go_pair import GoPair, Talk, a_pair, labels
from tests.conformance.peers.go_principal import GoPrincipal
from tests.conformance.peers.go_shared import PROJECT, REPOSITORY
from tests.conformance.peers.recording import Step, steps
from tests.support.world import passing

SPACES = {"argocd-managed": HOME, "argocd-autonomous": HOME}
HEALTHY = {"health": {"status": "Healthy"}}
FINALIZER = "resources-finalizer.argocd.argoproj.io"
Differences = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]

HUB_ONE, SPOKE_ONE = (
    "principal application spec-update agent-managed/one",
    "agent application status-update argocd-spoke/one",
)
SOLO = "principal application spec-update agent-autonomous/solo"
MANAGED: Differences = {
    "agents connect for the first time": ((f"principal appproject spec-update {HUB}/default",), ()),
    "managed: status written on the spoke": ((HUB_ONE,), ()),
    "managed: refresh annotation set on the hub": ((SPOKE_ONE,), ()),
    "managed: spoke's controller removes the refresh annotation": ((HUB_ONE,), ()),
    "managed: the same with adoption-policy never": (
        (
            "agent application status-update argocd-spoke/three",
            "principal application spec-update agent-managed/three",
        ),
        (),
    ),
    "principal starts again": (("agent resourceResync request-update Application argocd-spoke/two",), (HUB_ONE,)),
    "managed: cascade deletion (finalizer) on the hub": ((SPOKE_ONE,), ()),
    "managed: plain deletion on the hub": (("agent application delete argocd-spoke/two",), ()),
}
AUTONOMOUS: Differences = {
    "autonomous: mirror deleted on the hub (drift)": ((SOLO,), ()),
    "autonomous: mirror's spec edited on the hub (drift)": ((), (SOLO,)),
    "managed: live GET of its scale subresource": ((), (SOLO,)),
    "managed: Redis get, miss": ((SOLO,), ()),
    "principal starts again": ((), (SOLO,)),
    "agents start again": ((), (SOLO,)),
}


async def test_the_scripts_of_a_managed_agent_say_what_was_recorded() -> None:
    async with a_pair() as pair:
        play = ManagedPlay(pair)

        assert await _differences(play, "managed") == MANAGED


async def test_the_scripts_of_an_autonomous_agent_say_what_was_recorded() -> None:
    async with a_pair() as pair:
        play = AutonomousPlay(pair)

        assert await _differences(play, "autonomous") == AUTONOMOUS


class ManagedPlay:
    """What was done in the managed conversation."""

    def __init__(self, pair: GoPair) -> None:
        self.pair = pair
        self.hub = GoPrincipal(agent="agent-managed", echoes=False, seed=3)
        default = go_project("default", HOME, "spoke-default", 1)
        default["metadata"]["annotations"] = {ANNOTATION_SOURCE_UID: "project-1"}
        self.spoke = GoAgent(held={PROJECT: {"default": default}}, seed=13)

    async def act(self, step: str) -> None:
        """Do *step*."""
        hub, spoke = self.hub, self.spoke
        actions: dict[str, Callable[[], Any]] = {
            "application created on the hub": lambda: hub.create("one"),
            "status written on the spoke": lambda: self.says(HEALTHY),
            "spec updated on the hub": lambda: hub.set_revision("one", "v1"),
            "labels and annotations changed on the hub": lambda: hub.change("one", _labelled),
            "refresh annotation set on the hub": lambda: hub.change("one", _refreshed),
            "spoke's controller removes the refresh annotation": lambda: spoke.change("one", _fresh),
            "sync operation set on the hub": lambda: hub.change("one", lambda app: app.update(operation={"sync": {}})),
            "spoke runs the operation": lambda: self.says({"operationState": {"phase": "Running"}}),
            "operation terminated on the hub": lambda: hub.change("one", _terminated),
            "spoke ends the operation": lambda: self.says({"operationState": {"phase": "Failed"}}),
            "spec edited on the spoke (drift)": lambda: spoke.drift("one"),
            "application deleted on the spoke (drift)": lambda: spoke.vanish("one"),
            "label ignore-sync added on the hub": lambda: hub.hide("one"),
            "label ignore-sync removed on the hub": lambda: hub.show("one"),
            "AppProject created on the hub": lambda: hub.shared.project("team"),
            "AppProject updated on the hub": lambda: hub.shared.change(PROJECT, "team", _described),
            "repository Secret created on the hub": lambda: hub.shared.repository("repo-one", "team"),
            "repository Secret updated on the hub": lambda: hub.shared.change(REPOSITORY, "repo-one", _other_user),
            "repo-creds Secret created on the hub": lambda: hub.shared.repository(
                "creds-one", "team", sort="repo-creds"
            ),
            "spoke's controller removes the finalizer": lambda: spoke.finalized("one"),
        }
        actions.get(step.removeprefix("managed: "), lambda: None)()
        await self._slow(step)

    async def _slow(self, step: str) -> None:
        slow: dict[str, Callable[[], Awaitable[None]]] = {
            "agents connect": self.connect,
            "managed: application exists": lambda: self.adopted("two", ""),
            "managed: the same with": lambda: self.adopted("three", "never"),
            "managed: deleted and": self.made_anew,
            "principal starts": self.hub_again,
            "agents start": self.spoke_again,
            "the link is cut": self.cut,
            "managed: cascade deletion": self.cascade,
            "managed: plain deletion": self.deleted,
            "managed: repositories, project": self.removed,
        }
        for start, action in slow.items():
            if step.startswith(start):
                await action()

    async def connect(self) -> None:
        await self.pair.connect(self.hub, self.spoke)

    def credentials(self) -> None:
        self.hub.shared.repository("creds-one", "team", sort="repo-creds")

    def says(self, status: Json) -> None:
        self.spoke.change("one", lambda app: app.update(status=status, operation=None))

    async def cascade(self) -> None:
        self.hub.change("one", lambda app: app["metadata"].update(finalizers=[FINALIZER]))
        await passing(2)
        self.hub.delete("one")

    async def adopted(self, name: str, policy: str) -> None:
        self.spoke.add(go_application(name, HOME, f"own-{name}", 1))
        # The recorded one has it on the hub, where it says nothing: the spoke's own counts.
        self.hub.create(name, annotations={ANNOTATION_ADOPTION_POLICY: policy} if policy else {})

    async def made_anew(self) -> None:
        self.hub.delete("two")
        self.hub.create("two", "again")

    async def hub_again(self) -> None:
        await self.pair.cut()
        apps = self.hub.apps
        apps["one"]["spec"]["source"]["targetRevision"] = "while-down"
        del apps["three"]
        apps["late"] = go_application("late", "agent-managed", "hub-late", 90)
        self.hub = self.hub.again(seed=7)
        await self.connect()

    async def spoke_again(self) -> None:
        await self.pair.cut()
        self.spoke.apps["one"]["spec"]["source"]["targetRevision"] = "edited-while-down"
        del self.spoke.apps["late"]
        self.hub.set_revision("two", "hub-while-agent-down")
        self.spoke = self.spoke.again(seed=14)
        await self.connect()

    async def cut(self) -> None:
        await self.pair.cut()
        self.hub.set_revision("two", "while-cut")
        await self.connect()

    async def deleted(self) -> None:
        self.hub.delete("two")
        await passing(1)
        self.hub.delete("late")

    async def removed(self) -> None:
        for kind, name in ((REPOSITORY, "repo-one"), (REPOSITORY, "creds-one"), (PROJECT, "team")):
            self.hub.shared.take(kind, name)
            await passing(0.5)


class AutonomousPlay:
    """What was done in the autonomous conversation."""

    def __init__(self, pair: GoPair) -> None:
        self.pair = pair
        self.hub = GoMirroringPrincipal(agent="agent-autonomous", echoes=False, seed=3)
        self.spoke = GoAutonomousAgent(agent="agent-autonomous", seed=13)

    async def act(self, step: str) -> None:
        """Do *step*."""
        hub, spoke = self.hub, self.spoke
        actions: dict[str, Callable[[], Any]] = {
            "application created on the spoke": lambda: spoke.create("solo"),
            "status written on the spoke": lambda: spoke.change("solo", lambda app: app.update(status=HEALTHY)),
            "spec updated on the spoke": lambda: spoke.set_revision("solo", "v1"),
            "refresh annotation set on the hub": lambda: hub.edit("solo", _refreshed),
            "sync operation set on the hub": lambda: hub.edit("solo", lambda app: app.update(operation={"sync": {}})),
            "mirror's spec edited on the hub (drift)": lambda: hub.edit("solo", _drifted),
            "mirror deleted on the hub (drift)": lambda: hub.remove("solo"),
            "AppProject created on the spoke": self.mine,
            "AppProject updated on the spoke": lambda: spoke.change("mine", _described, PROJECT),
        }
        actions.get(step.removeprefix("autonomous: "), lambda: None)()
        if step.startswith("agents connect"):
            await self.pair.connect(self.hub, self.spoke)
        elif step.startswith("principal starts"):
            await self.pair.cut()
            spoke.set_revision("solo", "while-down")
            spoke.create("solo2")
            self.hub = hub.again(seed=7)
            self.hub.echoes = True
            await self.pair.connect(self.hub, spoke)
        elif step.startswith("agents start"):
            await self.pair.cut()
            del spoke.apps["solo2"]
            self.spoke = spoke.again(seed=14)
            await self.pair.connect(hub, self.spoke)
        elif step.startswith("the link"):
            await self.pair.connect(hub, spoke)
        elif step.startswith("autonomous: application and"):
            spoke.delete("solo")
            await passing(1)
            spoke.delete("mine", PROJECT)

    def mine(self) -> None:
        other = [{"server": "*", "namespace": "*", "name": "agent-managed"}]
        policies = ["p, proj:mine:dev, applications, get, mine/*, allow"]
        self.spoke.project("mine", destinations=other, roles=[{"name": "dev", "policies": policies}])


async def _differences(play: ManagedPlay | AutonomousPlay, conversation: str) -> Differences:
    found: Differences = {}
    for step in steps(conversation):
        before = {id(end): len(end.said) for end in (play.hub.end, play.spoke.end)}
        await play.act(step.name)
        await passing(3)
        said: Talk = Talk()
        for who, end in (("principal", play.hub.end), ("agent", play.spoke.end)):
            said += labels(who, end.said[before.get(id(end), 0) :], {})
        recorded = _recorded(step)
        missing, extra = (recorded - said).elements(), (said - recorded).elements()
        if said != recorded:
            found[step.name] = (tuple(sorted(missing)), tuple(sorted(extra)))
    return found


def _recorded(step: Step) -> Talk:
    return sum(
        (labels(who, (one.event for one in step.by(who)), SPACES) for who in ("principal", "agent")), start=Talk()
    )


def _labelled(app: Json) -> None:
    app["metadata"] |= {"labels": {"tier": "gold"}, "annotations": {"note": "x"}}


def _refreshed(app: Json) -> None:
    app["metadata"]["annotations"] = {**(app["metadata"].get("annotations") or {}), ANNOTATION_REFRESH: "hard"}


def _fresh(app: Json) -> None:
    app["metadata"]["annotations"].pop(ANNOTATION_REFRESH)


def _terminated(app: Json) -> None:
    app["status"]["operationState"]["phase"] = "Terminating"


def _described(project: Json) -> None:
    project["spec"]["description"] = "d"


def _drifted(app: Json) -> None:
    app["spec"]["source"]["targetRevision"] = "drifted"


def _other_user(secret: Json) -> None:
    secret["data"]["username"] = "dg=="
