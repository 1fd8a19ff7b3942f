"""What tests of autonomous agents do again and again, whichever end is ours."""

import json
from collections.abc import Callable, Mapping

from argocd_agent.codec import encode
from argocd_agent.protocol.names import ANNOTATION_SOURCE_UID
from argocd_agent.resources.kinds import APPPROJECT
from argocd_agent.resources.objects import Object
from tests.conformance.peers.everything import contents
from tests.conformance.peers.go_autonomous import GoAutonomousAgent
from tests.conformance.peers.go_mirroring import GoMirroringPrincipal
from tests.conformance.peers.go_objects import Json, annotations_of
from tests.conformance.peers.go_projects import mirrored
from tests.conformance.peers.recording import pruned
from tests.conformance.peers.stage import Stage

AGENT = "agent-1"
Shown = dict[str, dict[str, Json]]  # Applications and projects, by the names that they have on the spoke
HEALTHY = {"health": {"status": "Healthy"}}
POLICIES = ["p, proj:mine:dev, applications, get, mine/*, allow"]
ROLES = [{"name": "dev", "policies": POLICIES}]


async def write(stage: Stage, name: str, **fields: object) -> Object:
    """Somebody writes top-level fields of an Application on our cluster; None takes one away."""
    held = await stage.side.expect(name)
    return await stage.side.update(
        held.with_fields({key: None if value is None else encode(value) for key, value in fields.items()})
    )


async def edit(stage: Stage, name: str, changed: Callable[[Json], None]) -> Object:
    """Somebody edits the specification of an Application on our cluster."""
    spec = json.loads((await stage.side.expect(name)).fields["spec"])
    changed(spec)
    return await write(stage, name, spec=spec)


def edition(spec: Mapping[str, object]) -> Json:
    """An autonomous agent's specification as its hub is to show it."""
    shown = dict(spec)
    destination = dict(shown["destination"])  # type: ignore[call-overload]  # JSON
    destination.pop("server", None)
    return shown | {"project": f"{AGENT}-{shown['project']}", "destination": {**destination, "name": AGENT}}


def _app(source: str, spec: Json, status: object, operation: object) -> Json:
    app: Json = pruned({"source": source, "spec": spec, "status": status or {}, "operation": operation or {}})
    return app


def there(go: GoMirroringPrincipal) -> Shown:
    """What the Go hub shows of our spoke."""
    apps = {
        name: _app(annotations_of(one)[ANNOTATION_SOURCE_UID], one["spec"], one.get("status"), one.get("operation"))
        for name, one in go.apps.items()
    }
    return {"apps": apps, "projects": {name: pruned(one["spec"]) for name, one in go.mirrored_projects.items()}}


async def due_there(stage: Stage) -> Shown:
    """What the Go hub is to show of our spoke."""
    own = [await stage.side.expect(name) for name in await stage.side.names()]
    apps = {
        one.name: _app(one.uid, edition(one.look("spec")), one.look("status"), one.look("operation")) for one in own
    }
    specs = (await contents(stage.cluster))[APPPROJECT.name]
    return {"apps": apps, "projects": {name: _project(name, spec) for name, spec in specs.items()}}


async def here(stage: Stage) -> Shown:
    """What our hub shows of the Go spoke."""
    shown = [await stage.side.expect(name) for name in await stage.side.names()]
    apps = {
        one.name: _app(one.annotations[ANNOTATION_SOURCE_UID], one.look("spec"), one.look("status"), None)
        for one in shown
    }
    specs = (await contents(stage.cluster))[APPPROJECT.name]
    start = f"{AGENT}-"
    return {"apps": apps, "projects": {n.removeprefix(start): one for n, one in specs.items() if n.startswith(start)}}


def due_here(go: GoAutonomousAgent) -> Shown:
    """What our hub is to show of the Go spoke."""
    apps = {
        name: _app(one["metadata"]["uid"], edition(one["spec"]), one.get("status"), None)
        for name, one in go.apps.items()
    }
    return {"apps": apps, "projects": {name: _project(name, one["spec"]) for name, one in go.projects.items()}}


def without_destinations(shown: Shown) -> Shown:
    """*shown*, but for what the answer of a Go agent to a resync loses."""
    less = {name: {key: spec[key] for key in spec if key != "destinations"} for name, spec in shown["projects"].items()}
    return {**shown, "projects": less}


def _project(name: str, spec: Json) -> Json:
    shown: Json = pruned(mirrored({"metadata": {"name": name}, "spec": spec}, AGENT, "any")["spec"])
    return shown
