"""The unary calls over real TLS on loopback, and what either end learns of the other."""

import grpc
import pytest

from argocd_agent.errors import AuthenticationFailed, PeerUnavailable
from argocd_agent.protocol.capabilities import REFERENCE, Capability
from argocd_agent.transport.gate import Caller, UnknownMode, VersionMismatch, VersionMissing
from argocd_agent.wire import cloudevents
from argocd_agent.wire.messages import LoginReply, LoginRequest, PushSummary, RefreshRequest
from tests.component.transport.hub import LOGIN, TOKEN, PlainGate, a_hub, an_event, dialled

pytestmark = pytest.mark.real_time(20)


async def test_a_login_returns_the_tokens_and_what_the_principal_announces() -> None:
    async with a_hub() as hub, dialled(hub.port) as channel:
        reply, principal = await channel.authenticate(LOGIN)

    assert reply == LoginReply(access_token=TOKEN, refresh_token="r", version="0.9.0", principal_namespace="argocd")
    assert principal.principal_uid == "uid-1"
    assert principal.can(Capability.DIGEST)


async def test_the_gate_sees_certificate_tls_version_and_announcement_of_its_caller() -> None:
    gate = PlainGate()

    async with a_hub(gate) as hub, dialled(hub.port) as channel:
        await channel.authenticate(LOGIN)

    (caller,) = gate.callers
    assert caller.address.startswith("127.0.0.1:")
    assert caller.certificate is not None
    assert b"agent-1" in caller.certificate
    assert caller.tls_version == "TLSv1.3"
    assert caller.peer.can(Capability.REFUSED)
    assert caller.metadata["user-agent"].startswith("argocd-agent/v0.0.1 ")


async def test_a_caller_that_announces_nothing_is_answered_like_a_reference_agent() -> None:
    gate = PlainGate()

    async with a_hub(gate) as hub, dialled(hub.port, announced={}) as channel:
        _, principal = await channel.authenticate(LOGIN)

    assert gate.callers[0].peer is REFERENCE
    assert principal is REFERENCE


@pytest.mark.feature("P-27")
async def test_version_needs_no_token_and_refresh_takes_the_refresh_token() -> None:
    async with a_hub() as hub, dialled(hub.port) as channel:
        version = await channel.version()
        refreshed = await channel.refresh(RefreshRequest(refresh_token="x"))

    assert version == "argocd-agent-0.9.0"
    assert refreshed.access_token == TOKEN + "x"


class RefusingGate(PlainGate):
    """Refuses every login with the error it is given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def authenticate(self, request: LoginRequest, caller: Caller) -> LoginReply:
        raise self.error


@pytest.mark.feature("P-12", "P-13")
@pytest.mark.parametrize(
    ("raised", "seen", "text"),
    [
        (UnknownMode("x"), AuthenticationFailed, "UNKNOWN: unknown or missing operation mode: 'x'"),
        (VersionMissing(), AuthenticationFailed, "INVALID_ARGUMENT: agent version is required"),
        (VersionMismatch(), AuthenticationFailed, "FAILED_PRECONDITION: version mismatch"),
        (AuthenticationFailed("secret detail"), AuthenticationFailed, "UNAUTHENTICATED: authentication failed"),
        (PeerUnavailable("not active"), PeerUnavailable, "UNAVAILABLE: not active"),
        (KeyError("bug"), PeerUnavailable, "UNAVAILABLE: internal error at the principal, see its log"),
    ],
)
async def test_a_refused_login_reaches_the_agent_with_the_contracts_code_and_text(
    raised: Exception, seen: type[Exception], text: str
) -> None:
    async with a_hub(RefusingGate(raised)) as hub, dialled(hub.port) as channel:
        with pytest.raises(seen) as caught:
            await channel.authenticate(LOGIN)

    assert str(caught.value).endswith(text)


async def test_ping_and_unknown_methods_are_unimplemented() -> None:
    async with a_hub(material=None, require_client_certificates=False) as hub, _raw(hub.port) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/eventstreamapi.EventStream/Ping")(b"")

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_push_hands_over_every_event_and_returns_the_summary() -> None:
    async with a_hub(material=None, require_client_certificates=False) as hub, _raw(hub.port) as channel:
        pushed = [cloudevents.encode(an_event(f"e-{number}")) for number in range(3)]
        call = channel.stream_unary("/eventstreamapi.EventStream/Push")
        answer = await call(iter(pushed), metadata=(("authorization", TOKEN),))

    assert PushSummary.decode(answer) == PushSummary(result="done", received=3, processed=3)


@pytest.mark.feature("P-22", "A-8")
async def test_plaintext_is_served_and_dialled_without_certificates() -> None:
    gate = PlainGate()

    async with a_hub(gate, material=None, require_client_certificates=False) as hub, dialled(hub.port, None) as channel:
        version = await channel.version()

    assert version == "argocd-agent-0.9.0"
    assert gate.callers[0].certificate is None
    assert gate.callers[0].tls_version == ""


def _raw(port: int) -> grpc.aio.Channel:
    """grpc's own channel, for what ours never does."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}")
