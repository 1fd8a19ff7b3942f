"""How answers to live requests travel: in one event, or in pieces as fast as the hub takes them.

A hub of ours gives credit with its request, and more for each piece that it has dealt with: what has been sent and not
been taken is never more than that, so that neither a large answer nor a slow reader fills the stream that everything
shares. A hub of the reference gives none, and gets every answer in one.
"""

import asyncio
from uuid import uuid4

from argocd_agent.backends.ports import RawAnswer
from argocd_agent.peer.link import Link
from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId
from argocd_agent.wire.kubestatus import failure
from argocd_agent.wire.payloads import Payload, encode
from argocd_agent.wire.requests import MAX_CREDIT, ResourcePart, ResourceResponse

PIECE_BYTES = 192 * 1024  # other events wait no longer than this takes
NO_CONTENT = b""


class Answers:
    """The answer to *request*, an event that came on *link*, with so much *credit*."""

    def __init__(self, link: Link, request: Event, credit: int) -> None:
        self._link, self._request, self._credit = link, request, credit
        self._more = asyncio.Event()
        self._lane = ResourceId(str(uuid4()))  # one for all: they are dealt with in this order
        self._sent = 0
        self._comes_in_pieces = credit > 0

    @property
    def has_begun(self) -> bool:
        """Whether the status can no longer be changed."""
        return self._sent > 0

    def allow_more(self, parts: int) -> None:
        """The hub takes so many more pieces."""
        self._credit = min(self._credit + parts, MAX_CREDIT)
        self._more.set()

    async def give(self, answer: RawAnswer) -> None:
        """The whole answer."""
        if self._comes_in_pieces and len(answer.body) > PIECE_BYTES:
            await self.give_piece(answer)
            self.end()
        else:
            text = answer.body.decode("utf-8", "replace")
            self._send(EventType.RESPONSE, ResourceResponse(uuid=self._uuid, status=answer.status, resource=text))

    async def give_piece(self, answer: RawAnswer) -> None:
        """Some of the answer; more follows, or `end`. Waits for credit."""
        view = memoryview(answer.body)
        for start in range(0, max(len(view), 1), PIECE_BYTES):
            while not self._credit:
                self._more.clear()
                await self._more.wait()
            self._credit -= 1
            piece = ResourcePart(data=bytes(view[start : start + PIECE_BYTES]))
            if not self._sent:
                piece = ResourcePart(data=piece.data, status=answer.status, content_type=answer.content_type)
            self._sent += 1
            self._send(EventType.PART, piece, number=self._sent)

    def refuse(self, status: int, message: str) -> None:
        """There is no answer, or not all of it, and this is why."""
        self.end(status, failure(status, message))

    def end(self, status: int = 200, body: bytes = NO_CONTENT) -> None:
        """Nothing more comes."""
        self._send(EventType.RESPONSE, ResourceResponse(uuid=self._uuid, status=status, resource=body.decode()))

    @property
    def _uuid(self) -> str:
        return self._request.event_id

    def _send(self, kind: EventType, payload: Payload, number: int = 0) -> None:
        self._link.put_once(
            Event(
                target=self._request.target,
                type=kind,
                resource_id=self._lane,
                event_id=EventId(f"{self._uuid}/{number}" if number else self._uuid),
                data=encode(payload),
                source=self._link.source,
                trace_parent=self._request.trace_parent,
                trace_state=self._request.trace_state,
            )
        )
