"""What logs and terminals need to know of an agent, and how they answer Argo CD where there is nothing to pass on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from argocd_agent.codec import encode
from argocd_agent.protocol.events import AgentName, Event
from argocd_agent.protocol.modes import Mode


@dataclass(frozen=True, slots=True)
class Reached:
    """An agent that is connected. `send` hands it an event, at most once."""

    mode: Mode
    is_reference: bool
    send: Callable[[Event], object]


Reach = Callable[[AgentName], Reached | None]
"""The agent of that name. None: it is not connected."""


class PodPath(Protocol):
    """Which pod a request is about."""

    @property
    def namespace(self) -> str:
        """Its namespace."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...


def refused(status: int, text: str) -> web.Response:
    """An answer with a sentence."""
    return web.Response(status=status, text=f"{text}\n")


def not_connected(agent: AgentName) -> web.Response:
    """The answer where there is nobody to ask."""
    return refused(502, f"agent {agent} is not connected")


def failed(text: str) -> web.Response:
    """The answer for what an agent could not do: as a cluster says it, so that Argo CD shows the text."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": text}
    body = encode(status | {"reason": "InternalError", "code": 500})
    return web.Response(status=500, body=body, content_type="application/json")
