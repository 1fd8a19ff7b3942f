"""What a login does about the cluster Secret of its agent."""

import asyncio
import time

import pytest

from argocd_agent.codec import encode
from argocd_agent.errors import AuthenticationFailed, Conflict, Forbidden, PeerUnavailable, Unavailable
from argocd_agent.pki.tokens import Audience
from argocd_agent.principal.registration import CONFLICTS
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.clustersecret import ClusterTls, WayIn, cluster_secret, way_in_of, with_way_in
from argocd_agent.resources.kinds import SECRETS
from argocd_agent.resources.objects import Object
from tests.component.registration.registrar import (
    ADDRESS,
    AGENT,
    NAME,
    OTHER,
    SHARED,
    TLS,
    a_key,
    a_registrar,
    put,
)
from tests.support.world import HOME, passing


def a_token(agent: str = AGENT, key: int = 0) -> str:
    return a_key(key).issue(Audience.RESOURCE_PROXY, agent, "id", time.time())


def a_registered(tls: ClusterTls = TLS, token: str = "") -> Object:
    secret = cluster_secret(AGENT, HOME, ADDRESS, WayIn(tls, token or a_token()), {"env": "prod"})
    return secret.with_annotations({"note": "mine"})


@pytest.mark.feature("P-44", "C-61")
async def test_the_first_login_makes_the_secret_with_a_valid_token_and_the_shared_certificate() -> None:
    async with a_registrar() as hub:
        await hub.registration.ensure(AGENT)

        secret = await hub.secret()
        token = way_in_of(secret).token
        assert secret.labels == cluster_secret(AGENT, HOME, ADDRESS, WayIn(TLS, token)).labels
        assert way_in_of(secret).tls == TLS
        assert await hub.agent_of_token() == AGENT
        assert hub.api.log == [("get", NAME), ("create", NAME)]


@pytest.mark.feature("P-44")
async def test_300_agents_that_come_back_at_once_ask_the_api_for_nothing() -> None:
    agents = [AgentName(f"agent-{number}") for number in range(300)]
    known = [cluster_secret(agent, HOME, ADDRESS, WayIn(TLS, a_token(agent))) for agent in agents]
    async with a_registrar(*known) as hub:
        async with asyncio.TaskGroup() as tasks:
            for agent in agents:
                tasks.create_task(hub.registration.ensure(agent), name=agent)

        assert hub.api.log == []


@pytest.mark.feature("P-44")
async def test_the_second_login_asks_the_api_for_nothing() -> None:
    async with a_registrar() as hub:
        await hub.registration.ensure(AGENT)
        await passing(0.5)
        hub.api.log.clear()

        await hub.registration.ensure(AGENT)

        assert hub.api.log == []


@pytest.mark.feature("P-44")
async def test_a_restart_asks_the_api_for_nothing_when_there_is_nothing_to_do() -> None:
    async with a_registrar(a_registered()) as hub:
        await hub.registration.ensure(AGENT)

        assert hub.api.log == []


@pytest.mark.feature("P-47")
@pytest.mark.parametrize("label", [None, "false", "True"])
async def test_a_secret_of_a_person_is_never_written(label: str | None) -> None:
    made = cluster_secret(AGENT, HOME, ADDRESS, WayIn(OTHER))
    name = "argocd-agent.argoproj-labs.io/self-registered-cluster"
    made = made.with_metadata(labels={**made.labels, **({name: label} if label else {})})
    async with a_registrar(made) as hub:
        before = await hub.secret()

        await hub.registration.ensure(AGENT)
        hub.keys.replace(a_key(1))
        await hub.put_shared(OTHER)
        await hub.registration.ensure(AGENT)

        assert await hub.secret() == before
        assert hub.api.log == []


@pytest.mark.feature("P-47")
async def test_a_secret_of_a_person_that_names_no_agent_is_not_written_either() -> None:
    bare = cluster_secret(AGENT, HOME, ADDRESS, WayIn(OTHER)).with_metadata(labels={"argocd.example/mine": "yes"})
    async with a_registrar(bare) as hub:
        before = await hub.secret()

        await hub.registration.ensure(AGENT)

        assert await hub.secret() == before
        assert hub.api.log == [("get", NAME)]


@pytest.mark.feature("P-47")
async def test_a_secret_of_a_person_needs_no_shared_certificate() -> None:
    async with a_registrar(cluster_secret(AGENT, HOME, ADDRESS, WayIn(OTHER)), shared=None) as hub:
        await hub.registration.ensure(AGENT)


@pytest.mark.feature("P-45", "C-61")
@pytest.mark.parametrize(
    "wrong", ["none", "garbage", "of another agent", "of another key", "for another purpose"], ids=lambda one: one
)
async def test_a_token_that_does_not_count_is_replaced_and_nothing_else(wrong: str) -> None:
    token = {
        "none": "",
        "garbage": "a.b.c",
        "of another agent": a_token("agent-2"),
        "of another key": a_token(key=1),
        "for another purpose": a_key(0).issue(Audience.ACCESS, AGENT, "id", time.time()),
    }[wrong]
    async with a_registrar(a_registered()) as hub:
        before = await hub.secret()
        await hub.user.update(SECRETS, with_way_in(before, WayIn(TLS, token or "-")))
        await passing(0.5)

        await hub.registration.ensure(AGENT)

        after = await hub.secret()
        assert await hub.agent_of_token() == AGENT
        assert way_in_of(after).tls == TLS
        assert (after.labels, after.annotations) == (before.labels, before.annotations)
        assert after.look("data")["server"] == before.look("data")["server"]


@pytest.mark.feature("P-46", "C-61")
async def test_another_certificate_is_replaced_and_the_token_kept() -> None:
    async with a_registrar(a_registered()) as hub:
        before = await hub.secret()
        await hub.user.update(SECRETS, with_way_in(before, WayIn(OTHER, way_in_of(before).token)))
        await passing(0.5)

        await hub.registration.ensure(AGENT)

        assert way_in_of(await hub.secret()) == way_in_of(before)


async def test_a_config_that_cannot_be_read_is_made_anew() -> None:
    async with a_registrar(a_registered()) as hub:
        broken = (await hub.secret()).with_fields({"data": encode({"config": "e30=", "name": "eA=="})})
        await hub.user.update(SECRETS, broken)
        await passing(0.5)

        await hub.registration.ensure(AGENT)

        assert way_in_of(await hub.secret()).tls == TLS
        assert await hub.agent_of_token() == AGENT
        assert (await hub.secret()).look("data")["name"] == "eA=="


async def test_who_is_quicker_to_make_the_secret_wins() -> None:
    async with a_registrar() as hub:

        async def quicker() -> None:
            await hub.user.create(SECRETS, cluster_secret(AGENT, HOME, ADDRESS, WayIn(OTHER)))

        hub.api.before["create"] = quicker

        await hub.registration.ensure(AGENT)

        assert way_in_of(await hub.secret()) == WayIn(OTHER)


async def test_what_somebody_changes_meanwhile_is_kept() -> None:
    async with a_registrar(a_registered()) as hub:
        before = await hub.secret()
        await hub.user.update(SECRETS, with_way_in(before, WayIn(TLS, "x")))
        await passing(0.5)

        async def quicker() -> None:
            now = await hub.secret()
            await hub.user.update(SECRETS, now.with_annotations({"late": "yes"}))

        hub.api.before["update"] = quicker

        await hub.registration.ensure(AGENT)

        assert (await hub.secret()).annotations["late"] == "yes"
        assert await hub.agent_of_token() == AGENT


async def test_a_secret_deleted_meanwhile_is_made_anew() -> None:
    async with a_registrar(a_registered(token=a_token(key=1)), key=a_key(1)) as hub:
        before = await hub.secret()
        await hub.user.update(SECRETS, with_way_in(before, WayIn(TLS, "x")))
        await passing(0.5)

        async def quicker() -> None:
            await hub.user.delete(SECRETS, HOME, NAME)

        hub.api.before["update"] = quicker

        await hub.registration.ensure(AGENT)

        assert (await hub.secret()).uid != before.uid
        assert await hub.agent_of_token() == AGENT


@pytest.mark.parametrize(("error", "times"), [(Unavailable("etcd is on fire"), 1), (Conflict("again"), CONFLICTS)])
async def test_trouble_with_the_api_sends_the_agent_away_for_a_while_and_tells_it_nothing(
    error: Exception, times: int
) -> None:
    async with a_registrar() as hub:
        hub.api.failing["create"] = [error] * times

        with pytest.raises(PeerUnavailable) as refused:
            await hub.registration.ensure(AGENT)

        assert str(error) not in str(refused.value)
        await hub.registration.ensure(AGENT)
        assert await hub.agent_of_token() == AGENT


async def test_what_will_not_heal_refuses_the_login_with_the_reason_for_the_log() -> None:
    async with a_registrar() as hub:
        hub.api.failing["create"] = [Forbidden('secrets "x" is forbidden')]

        with pytest.raises(AuthenticationFailed, match=r'agent-1 cannot be registered: secrets "x" is forbidden'):
            await hub.registration.ensure(AGENT)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (None, "there is no such Secret"),
        ({"tls.crt": b"x", "tls.key": b"y"}, "expected field ca.crt, found tls.crt, tls.key"),
    ],
)
async def test_without_a_whole_shared_certificate_nobody_registers_until_there_is_one(
    data: dict[str, bytes] | None, complaint: str
) -> None:
    async with a_registrar(shared=None) as hub:
        if data is not None:
            await put(hub.user, SHARED, data)
            await passing(0.5)

        with pytest.raises(AuthenticationFailed, match=complaint):
            await hub.registration.ensure(AGENT)
        await hub.put_shared(TLS)
        await hub.registration.ensure(AGENT)

        assert way_in_of(await hub.secret()).tls == TLS
