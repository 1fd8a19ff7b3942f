"""The agent's tokens and the connection of now, for its calls."""

import asyncio
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

import pytest

from argocd_agent.agent.calls import Calls
from argocd_agent.codec import encode
from argocd_agent.errors import PeerUnavailable, TransportError
from argocd_agent.transport.framestream import LogUpload, TerminalStream
from argocd_agent.wire.messages import LoginReply, RefreshRequest
from tests.support.loghub import HubTerminal, LogHub
from tests.support.world import passing

NOW = 1000.0


def a_token(left_seconds: float | None, name: str = "t") -> str:
    claims: dict[str, object] = {"sub": '{"clientID":"agent-1","mode":"managed"}', "jti": name}
    claims |= {} if left_seconds is None else {"exp": NOW + left_seconds}
    parts = [encode({"alg": "RS512", "typ": "JWT"}), encode(claims), b"signature"]
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@dataclass
class FakeChannel:
    """Notes what it is called with; a refresh gives *reply*, or raises it, after a second."""

    reply: LoginReply | TransportError
    log: list[str] = field(default_factory=list)
    hub: LogHub = field(default_factory=LogHub)

    async def refresh(self, request: RefreshRequest) -> LoginReply:
        self.log.append(f"refresh {request.refresh_token}")
        await passing(1)
        if isinstance(self.reply, TransportError):
            raise self.reply
        return self.reply

    async def stream_logs(self, token: str, request_uuid: str) -> LogUpload:
        self.log.append(f"log {token}")
        return await self.hub.log(request_uuid)

    async def stream_terminal(self, token: str) -> TerminalStream:
        self.log.append(f"terminal {token}")
        return HubTerminal()

    async def retire(self, reason: str) -> None:
        self.log.append(f"retire {reason}")


def opened(channel: FakeChannel, access: str) -> Calls:
    calls = Calls(clock=lambda: NOW)
    calls.opened(channel, LoginReply(access_token=access, refresh_token="r1"))
    return calls


NEW = a_token(300, "new")


@pytest.mark.feature("A-14")
@pytest.mark.parametrize(("left_seconds", "is_refreshed"), [(31, False), (30, True), (-5, True), (None, False)])
async def test_a_token_with_30_seconds_left_or_less_is_refreshed_before_a_call(
    left_seconds: float | None, is_refreshed: bool
) -> None:
    channel = FakeChannel(LoginReply(access_token=NEW))
    old = a_token(left_seconds)

    await opened(channel, old).log("u")

    assert channel.log == (["refresh r1", f"log {NEW}"] if is_refreshed else [f"log {old}"])


@pytest.mark.feature("A-14")
async def test_calls_that_come_together_share_one_refresh() -> None:
    channel = FakeChannel(LoginReply(access_token=NEW))
    calls = opened(channel, a_token(5))

    await asyncio.gather(calls.log("u"), calls.terminal())

    assert channel.log == ["refresh r1", f"log {NEW}", f"terminal {NEW}"]


@pytest.mark.feature("A-14")
async def test_a_new_refresh_token_takes_the_place_of_the_old_one() -> None:
    channel = FakeChannel(LoginReply(access_token=a_token(10), refresh_token="r2"))
    calls = opened(channel, a_token(5))

    await calls.terminal()
    await calls.terminal()

    assert [entry for entry in channel.log if entry.startswith("refresh")] == ["refresh r1", "refresh r2"]


@pytest.mark.feature("A-15")
@pytest.mark.parametrize("reply", [PeerUnavailable("gone"), LoginReply(access_token="no token")])
async def test_where_a_refresh_fails_the_old_token_is_used(reply: LoginReply | TransportError) -> None:
    channel, old = FakeChannel(reply), a_token(5)

    await opened(channel, old).log("u")

    assert channel.log[-1] == f"log {old}"


async def test_who_gives_up_during_a_refresh_leaves_it_to_the_next() -> None:
    channel = FakeChannel(LoginReply(access_token=NEW))
    calls = opened(channel, a_token(5))

    first = asyncio.create_task(calls.log("u"))
    second = asyncio.create_task(calls.log("v"))
    await passing(0.5)
    first.cancel()
    await second

    assert channel.log == ["refresh r1", "refresh r1", f"log {NEW}"]


@pytest.mark.feature("A-15")
async def test_a_token_that_is_not_taken_ends_the_connection_and_calls_wait_for_the_next() -> None:
    channel = FakeChannel(LoginReply(access_token=NEW))
    calls = opened(channel, NEW)

    await calls.renew("UNAUTHENTICATED")
    waiting = asyncio.create_task(calls.connected())
    await passing(1)
    was_waiting = not waiting.done()
    with pytest.raises(PeerUnavailable):
        await calls.log("u")
    calls.opened(channel, LoginReply(access_token=NEW, refresh_token="r"))
    await waiting

    assert was_waiting
    assert channel.log == ["retire UNAUTHENTICATED"]
