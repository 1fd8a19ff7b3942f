"""Objects of the other side, as projects and as Applications: what this side holds of them, or the named error."""

import contextlib

from argocd_agent.errors import DecodeError, EventRefused
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources import appproject, autonomous
from argocd_agent.resources.objects import Object, decode_object

AGENT, HUB = AgentName("agent-1"), "argocd"
NOW = "2026-01-01T00:00:00Z"


def check(data: bytes) -> None:
    """Raises AssertionError where the two ends would disagree about what the hub holds."""
    try:
        obj = decode_object(data)
    except DecodeError:
        return
    _project(obj)
    _application(obj)


def _project(obj: Object) -> None:
    appproject.owner_of(obj, lambda _: True)
    appproject.is_for_agent(obj, AGENT, by_destination=False)
    with contextlib.suppress(DecodeError):
        appproject.agent_edition(obj, AGENT, by_destination=False)
    ours = appproject.digest_parts_hub(obj, AGENT, HUB, is_source=True)
    with contextlib.suppress(EventRefused):
        held = appproject.hub_edition(obj, AGENT, HUB)

        assert ours == appproject.digest_parts_hub(held, AGENT, HUB, is_source=False)


def _application(obj: Object) -> None:
    ours = autonomous.digest_parts(obj, AGENT, is_source=True)
    with contextlib.suppress(EventRefused):
        edition = autonomous.hub_edition(obj, AGENT, "cluster-1")
        mirror = autonomous.mirror(edition, NOW)
        held = autonomous.mirror_updated(mirror, edition, NOW, keep_operation=False, keep_refresh=False)

        assert ours == autonomous.digest_parts(held, AGENT, is_source=False)
        assert held == autonomous.mirror_updated(held, edition, "later", keep_operation=False, keep_refresh=False)
