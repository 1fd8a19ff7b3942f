"""Of lists and watches, what belongs to an Application: the rest is left out as if it were not there.

An object that stops belonging to any while it is watched is not said to be deleted: it is only shown no more.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable

from argocd_agent.backends.kubernetes.watch import Lines
from argocd_agent.backends.ports import WatchType
from argocd_agent.errors import DecodeError, Unavailable
from argocd_agent.resources.objects import Object, decode_object
from argocd_agent.wire.kubelists import items_of, watch_line, with_items

CHECKED_AT_ONCE = 16  # each may ask the API server for an owner

Shows = Callable[[Object], Awaitable[bool]]
_CHANGES = frozenset({WatchType.ADDED.value, WatchType.MODIFIED.value, WatchType.DELETED.value})


async def shown_of(document: bytes, shows: Shows) -> bytes:
    """The list *document* with the items that *shows* lets through. Raises `ClusterError`."""
    try:
        items = items_of(document)
        objects = [decode_object(item, "item") for item in items or ()]
    except DecodeError as error:
        raise Unavailable(f"the API server's answer is no list: {error}") from error
    if items is None:
        raise Unavailable("the API server's answer is no list: it has no items")
    verdicts: list[bool] = []
    for start in range(0, len(objects), CHECKED_AT_ONCE):
        verdicts += await asyncio.gather(*map(shows, objects[start : start + CHECKED_AT_ONCE]))
    return with_items(document, [item for item, is_shown in zip(items, verdicts, strict=True) if is_shown])


async def shown_lines(chunks: AsyncIterable[bytes], shows: Shows) -> AsyncGenerator[bytes, None]:
    """The lines of a watch that *shows* lets through, those together that came together. Raises `Unavailable`."""
    lines = Lines()
    async for chunk in chunks:
        let_through = [line for line in lines.feed(chunk) if await _is_shown(line, shows)]
        if let_through:
            yield b"\n".join(let_through) + b"\n"


async def _is_shown(line: bytes, shows: Shows) -> bool:
    try:
        kind, raw = watch_line(line)
        return kind not in _CHANGES or await shows(decode_object(raw, "watch event"))
    except DecodeError as error:
        raise Unavailable(f"the API server sent what is no watch event: {error}") from error
