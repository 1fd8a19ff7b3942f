"""Key and certificate change while nobody logs in: what was made from them follows."""

import pytest

from argocd_agent.errors import Forbidden, Unavailable
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.clustersecret import WayIn, cluster_secret, way_in_of, with_way_in
from argocd_agent.resources.kinds import SECRETS
from tests.component.registration.registrar import (
    ADDRESS,
    AGENT,
    NAME,
    OTHER,
    SHARED,
    TLS,
    Registrar,
    a_key,
    a_registrar,
    put,
)
from tests.support.world import HOME, passing

AGENTS = [AgentName(f"agent-{number}") for number in (1, 2, 3)]
NAMES = [f"cluster-{agent}" for agent in AGENTS]


async def all_registered(hub: Registrar) -> None:
    for agent in AGENTS:
        await hub.registration.ensure(agent)
    await passing(0.5)
    hub.api.log.clear()


@pytest.mark.feature("P-45", "C-61")
async def test_a_new_key_replaces_all_tokens_without_a_login() -> None:
    async with a_registrar() as hub:
        await all_registered(hub)

        hub.keys.replace(a_key(1))
        await passing(1)

        assert [await hub.agent_of_token(name) for name in NAMES] == AGENTS
        assert hub.api.log == [("update", name) for name in NAMES]


@pytest.mark.feature("P-46", "C-61")
async def test_a_new_certificate_replaces_all_certificates_and_no_token() -> None:
    async with a_registrar() as hub:
        await all_registered(hub)
        tokens = [way_in_of(await hub.secret(name)).token for name in NAMES]

        await hub.put_shared(OTHER)
        await passing(1)

        assert [way_in_of(await hub.secret(name)) for name in NAMES] == [WayIn(OTHER, token) for token in tokens]
        assert hub.api.log == [("update", name) for name in NAMES]


@pytest.mark.feature("P-45")
async def test_what_changed_while_the_principal_was_away_is_renewed_at_its_start() -> None:
    stale = cluster_secret(AGENT, HOME, ADDRESS, WayIn(OTHER, "from before"))
    async with a_registrar(stale) as hub:
        assert way_in_of(await hub.secret()).tls == TLS
        assert await hub.agent_of_token() == AGENT


async def test_a_login_after_a_renewal_has_nothing_to_do() -> None:
    async with a_registrar() as hub:
        await all_registered(hub)
        hub.keys.replace(a_key(1))
        await passing(1)
        hub.api.log.clear()

        for agent in AGENTS:
            await hub.registration.ensure(agent)

        assert hub.api.log == []


async def test_a_secret_that_is_deleted_meanwhile_is_not_brought_back() -> None:
    async with a_registrar() as hub:
        await hub.registration.ensure(AGENT)
        await passing(0.5)

        async def quicker() -> None:
            await hub.user.delete(SECRETS, HOME, NAME)

        hub.api.before["update"] = quicker
        hub.keys.replace(a_key(1))
        await passing(60)

        assert ("create", NAME) not in hub.api.log[2:]
        assert hub.api.log.count(("update", NAME)) == 1


async def test_trouble_with_the_api_puts_a_renewal_off_and_holds_up_no_other() -> None:
    async with a_registrar() as hub:
        await all_registered(hub)
        hub.api.failing["update"] = [Unavailable("connection refused")]

        hub.keys.replace(a_key(1))
        await passing(0.1)
        assert [await hub.agent_of_token(name) for name in NAMES[1:]] == AGENTS[1:]
        await passing(60)

        assert await hub.agent_of_token() == AGENT
        assert hub.api.log.count(("update", NAME)) == 2


async def test_what_is_forbidden_is_not_tried_again() -> None:
    async with a_registrar() as hub:
        await all_registered(hub)
        hub.api.failing["update"] = [Forbidden("no")] * 3

        hub.keys.replace(a_key(1))
        await passing(600)

        assert hub.api.log == [("update", name) for name in NAMES]


async def test_a_shared_certificate_that_goes_or_breaks_takes_nothing_away() -> None:
    async with a_registrar() as hub:
        await hub.registration.ensure(AGENT)
        before = way_in_of(await hub.secret())

        await put(hub.user, SHARED, {"tls.crt": b"half"})
        await passing(0.5)
        await hub.user.delete(SECRETS, HOME, SHARED)
        await passing(0.5)
        await hub.registration.ensure(AgentName("agent-2"))

        assert way_in_of(await hub.secret()) == before
        assert way_in_of(await hub.secret("cluster-agent-2")).tls == TLS


async def test_a_secret_that_no_login_asks_for_is_left_alone() -> None:
    named = cluster_secret(AGENT, HOME, ADDRESS, WayIn(OTHER, "x")).with_metadata(name="mine")
    async with a_registrar(named) as hub:
        hub.keys.replace(a_key(1))
        await passing(1)

        assert hub.api.log == []


async def test_a_change_by_a_person_is_put_right_at_the_next_login() -> None:
    async with a_registrar() as hub:
        await hub.registration.ensure(AGENT)
        good = await hub.secret()
        await hub.user.update(SECRETS, with_way_in(good, WayIn(TLS, "x")))
        await passing(0.5)

        await hub.registration.ensure(AGENT)

        assert await hub.agent_of_token() == AGENT
