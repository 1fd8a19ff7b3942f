"""What the principal's gatekeeper answers to logins, refreshes and calls: real tokens, no network."""

import functools
import time
from typing import Any

import pytest

from argocd_agent.errors import AuthenticationFailed
from argocd_agent.pki.keys import KeyAlgorithm, generate, to_pem
from argocd_agent.pki.subject import Subject
from argocd_agent.pki.tokens import Audience, TokenKey
from argocd_agent.principal.auth.methods import parse_method
from argocd_agent.principal.gatekeeper import Gatekeeper, Register, as_they_are
from argocd_agent.protocol.capabilities import REFERENCE
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode
from argocd_agent.transport.gate import Caller, Identity, UnknownMode, VersionMissing
from argocd_agent.wire.messages import LoginReply, LoginRequest, RefreshRequest

AGENT = Subject(AgentName("agent-1"), Mode.MANAGED)
DAY_SECONDS = 86_400.0


@functools.cache
def a_key() -> TokenKey:
    return TokenKey.from_pem(to_pem(generate(KeyAlgorithm.RSA, 2048)), "test")


def a_gatekeeper(failures: list[str], register: Register = as_they_are) -> Gatekeeper:
    """One that believes a header, and notes each refusal in *failures*."""

    async def nothing(*_: object) -> Any:
        raise AssertionError("no stream in these tests")

    return Gatekeeper(
        parse_method("header:x-agent:(.+)", plaintext=True, is_blocked=lambda _: False),
        a_key,
        namespace="argocd",
        version="1.2.3",
        match_subject=False,
        failed=lambda: failures.append("refused"),
        serve=nothing,
        take_pushed=nothing,
        register=register,
    )


def a_caller(agent: str = "agent-1") -> Caller:
    return Caller("10.0.0.7:1", None, "", {"x-agent": agent}, REFERENCE)


async def login(mode: str = "managed", version: str = "0.9.0", agent: str = "agent-1") -> LoginReply:
    request = LoginRequest(method="header", mode=mode, version=version, credentials={})
    return await a_gatekeeper([]).authenticate(request, a_caller(agent))


@pytest.mark.feature("P-12")
@pytest.mark.parametrize("version", ["0.9.0", "99.0.0", "v1-dirty"])
async def test_an_agent_of_any_version_hears_its_own(version: str) -> None:
    assert (await login(version=version)).version == version


@pytest.mark.feature("P-12")
async def test_an_agent_without_a_version_is_refused() -> None:
    with pytest.raises(VersionMissing):
        await login(version="")


@pytest.mark.feature("P-44")
async def test_only_who_has_been_let_in_is_registered_and_only_who_is_registered_gets_tokens() -> None:
    failures, asked = list[str](), list[AgentName]()

    async def refuse(agent: AgentName) -> None:
        asked.append(agent)
        raise AuthenticationFailed("cannot be registered")

    gatekeeper = a_gatekeeper(failures, refuse)
    request = LoginRequest(method="header", mode="managed", version="0.9.0", credentials={})

    with pytest.raises(VersionMissing):
        await gatekeeper.authenticate(
            LoginRequest(method="header", mode="managed", version="", credentials={}), a_caller()
        )
    with pytest.raises(AuthenticationFailed):
        await gatekeeper.authenticate(request, a_caller("argocd"))
    assert asked == []
    with pytest.raises(AuthenticationFailed, match="cannot be registered"):
        await gatekeeper.authenticate(request, a_caller())
    assert asked == [AGENT.agent]
    assert failures == ["refused"] * 3


@pytest.mark.feature("P-13")
@pytest.mark.parametrize("mode", ["foo", "", "Managed"])
async def test_an_unknown_mode_is_refused(mode: str) -> None:
    with pytest.raises(UnknownMode):
        await login(mode=mode)


@pytest.mark.feature("P-14")
async def test_an_agent_may_not_be_called_like_the_namespace_at_login_or_at_a_call() -> None:
    token = a_key().issue_for_agent(Audience.ACCESS, Subject(AgentName("argocd"), Mode.MANAGED), "id", time.time())

    with pytest.raises(AuthenticationFailed, match="may not be called argocd"):
        await login(agent="argocd")
    with pytest.raises(AuthenticationFailed, match="may not be called argocd"):
        a_gatekeeper([]).admit(token, a_caller("argocd"))


@pytest.mark.feature("P-15", "P-28", "C-58")
async def test_each_token_of_a_login_counts_for_its_own_purpose_alone() -> None:
    failures: list[str] = []
    gatekeeper, reply = a_gatekeeper(failures), await login()

    assert gatekeeper.admit(reply.access_token, a_caller()) == Identity(AGENT.agent, AGENT.mode)
    with pytest.raises(AuthenticationFailed, match="audience"):
        gatekeeper.admit(reply.refresh_token, a_caller())
    with pytest.raises(AuthenticationFailed, match="audience"):
        await gatekeeper.refresh(RefreshRequest(refresh_token=reply.access_token))
    assert failures == ["refused"]


@pytest.mark.feature("P-28")
async def test_an_expired_token_opens_nothing() -> None:
    token = a_key().issue_for_agent(Audience.ACCESS, AGENT, "id", time.time() - 301)

    with pytest.raises(AuthenticationFailed, match="expired"):
        a_gatekeeper([]).admit(token, a_caller())


@pytest.mark.feature("P-16", "C-58")
@pytest.mark.parametrize(("left_seconds", "is_replaced"), [(590.0, True), (660.0, False)])
async def test_a_refresh_gives_a_new_refresh_token_only_near_the_end(left_seconds: float, is_replaced: bool) -> None:
    issued = time.time() - DAY_SECONDS + left_seconds
    held = a_key().issue_for_agent(Audience.REFRESH, AGENT, "id", issued)

    reply = await a_gatekeeper([]).refresh(RefreshRequest(refresh_token=held))

    assert a_key().verify_agent(reply.access_token, Audience.ACCESS, time.time())[0] == AGENT
    assert bool(reply.refresh_token) is is_replaced
