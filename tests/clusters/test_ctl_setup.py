"""The way of the README, command by command, on real API servers; and the programs work with what it made."""

import asyncio
from pathlib import Path

import pytest

from argocd_agent.codec import decode_any, encode
from argocd_agent.protocol.names import SECRET_CA, SECRET_JWT, SECRET_JWT_KEY
from argocd_agent.resources.kinds import SECRETS
from tests.support.clusters import RealClusters
from tests.support.pairs import Pair, ended
from tests.support.programs import CTL, Said, run
from tests.support.sites import Hub, Spoke, a_name, make_namespace, opened

CURVE = ("--key-algorithm", "ecdsa-p256")  # RSA takes seconds


def merged(folder: Path, hub: Path, spoke: Path) -> Path:
    """One kubeconfig with the contexts `hub` and `spoke`."""
    parts: dict[str, list[object]] = {"clusters": [], "users": [], "contexts": []}
    for name, path in (("hub", hub), ("spoke", spoke)):
        found = decode_any(path.read_bytes(), str(path))
        parts["clusters"].append({**found["clusters"][0], "name": name})
        parts["users"].append({**found["users"][0], "name": name})
        parts["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
    file = folder / "kubeconfig"
    file.write_bytes(encode({"apiVersion": "v1", "kind": "Config", "current-context": "hub", **parts}))
    return file


class Ctl:
    """`argocd-agentctl` for one installation."""

    def __init__(self, kubeconfig: Path, hub_namespace: str, spoke_namespace: str) -> None:
        self._variables = {
            "KUBECONFIG": str(kubeconfig),
            "ARGOCD_AGENT_PRINCIPAL_CONTEXT": "hub",
            "ARGOCD_AGENT_PRINCIPAL_NAMESPACE": hub_namespace,
            "ARGOCD_AGENT_AGENT_CONTEXT": "spoke",
            "ARGOCD_AGENT_AGENT_NAMESPACE": spoke_namespace,
        }

    async def __call__(self, *arguments: str) -> Said:
        return await asyncio.to_thread(run, CTL, arguments, self._variables, 60.0)

    async def good(self, *arguments: str) -> str:
        """What a command that succeeds says."""
        said = await self(*arguments)
        assert said.status == 0, said
        return said.out


@pytest.mark.feature("C-1", "C-77", "C-78", "C-80", "C-81", "C-109")
@pytest.mark.real_time(timeout=180)
async def test_the_way_of_the_readme_ends_with_an_application_on_the_spoke(
    clusters: RealClusters, tmp_path: Path
) -> None:
    hub = Hub(clusters[0].kubeconfig, a_name("hub"))
    spoke = Spoke(hub, clusters[1].kubeconfig, a_name("agent"), a_name("spoke"))
    await make_namespace(hub.kubeconfig, hub.namespace)
    await make_namespace(spoke.kubeconfig, spoke.namespace)
    await make_namespace(hub.kubeconfig, spoke.agent)
    ctl = Ctl(merged(tmp_path, hub.kubeconfig, spoke.kubeconfig), hub.namespace, spoke.namespace)

    await ctl.good("pki", "init", *CURVE)
    await ctl.good("pki", "issue", "principal", "--dns", "hub.example.com", "--ip", "127.0.0.1", *CURVE)
    await ctl.good("pki", "issue", "resource-proxy", "--dns", "argocd-agent-resource-proxy", *CURVE)
    await ctl.good("jwt", "create-key")
    await ctl.good("agent", "create", spoke.agent, *CURVE)
    await ctl.good("pki", "issue", "agent", spoke.agent, *CURVE)

    assert await ctl.good("agent", "list") == f"{spoke.agent}\n"
    assert "hub.example.com" in await ctl.good("pki", "inspect")
    assert spoke.agent in await ctl.good("agent", "inspect", spoke.agent)
    async with opened(spoke.kubeconfig) as api:
        ca = await api.get(SECRETS, spoke.namespace, SECRET_CA)
    assert list(ca.look("data")) == ["ca.crt"]  # the key of the CA never leaves the hub

    principal, agent = hub.start(), spoke.start()
    with ended(principal, agent):
        pair = Pair(hub, spoke, principal, agent)
        await pair.ready()
        async with pair.open() as (on_hub, on_spoke):
            await on_hub.create("guestbook")
            await on_spoke.until_there("guestbook")


@pytest.mark.feature("C-77", "C-78", "C-80")
async def test_what_is_there_is_not_replaced_by_accident(clusters: RealClusters, tmp_path: Path) -> None:
    hub, spoke = a_name("hub"), a_name("spoke")
    await make_namespace(clusters[0].kubeconfig, hub)
    await make_namespace(clusters[1].kubeconfig, spoke)
    ctl = Ctl(merged(tmp_path, clusters[0].kubeconfig, clusters[1].kubeconfig), hub, spoke)
    await ctl.good("pki", "init", *CURVE)
    await ctl.good("pki", "issue", "principal", *CURVE)
    await ctl.good("agent", "create", "agent-1", *CURVE)
    async with opened(clusters[0].kubeconfig) as api:
        before = [obj.version for obj in (await api.list(SECRETS)).items if obj.namespace == hub]

    again = [
        await ctl("pki", "init", *CURVE),
        await ctl("pki", "issue", "principal", *CURVE),
        await ctl("agent", "create", "agent-1", *CURVE),
    ]

    async with opened(clusters[0].kubeconfig) as api:
        after = [obj.version for obj in (await api.list(SECRETS)).items if obj.namespace == hub]
    assert [said.status for said in again] == [1, 1, 1]
    assert all("[FATAL]" in said.err and "exists already" in said.err for said in again)
    assert "--force" in again[0].err
    assert "--upsert" in again[1].err
    assert after == before


async def test_a_command_without_permission_names_verb_and_resource(clusters: RealClusters, tmp_path: Path) -> None:
    namespace, user = a_name("hub"), a_name("user")
    await make_namespace(clusters[0].kubeconfig, namespace)
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]
    kubeconfig = await clusters[0].restricted_user(user, namespace, rules)
    ctl = Ctl(merged(tmp_path, kubeconfig, clusters[1].kubeconfig), namespace, namespace)

    said = await ctl("pki", "init", *CURVE)

    assert said.status == 1
    assert "[FATAL]" in said.err
    assert "cannot create" in said.err
    assert "secrets" in said.err
    assert f'User "{user}"' in said.err


@pytest.mark.feature("C-78")
async def test_a_command_before_there_is_a_ca_says_how_to_make_one(clusters: RealClusters, tmp_path: Path) -> None:
    namespace = a_name("hub")
    await make_namespace(clusters[0].kubeconfig, namespace)
    ctl = Ctl(merged(tmp_path, clusters[0].kubeconfig, clusters[1].kubeconfig), namespace, namespace)

    said = await ctl("pki", "issue", "principal", *CURVE)

    assert said.status == 1
    assert f"Secret {SECRET_CA} does not exist in namespace {namespace}" in said.err
    assert "argocd-agentctl pki init" in said.err


@pytest.mark.feature("C-81")
async def test_a_new_token_key_takes_the_place_of_the_old_one_only_when_told(
    clusters: RealClusters, tmp_path: Path
) -> None:
    namespace = a_name("hub")
    await make_namespace(clusters[0].kubeconfig, namespace)
    ctl = Ctl(merged(tmp_path, clusters[0].kubeconfig, clusters[1].kubeconfig), namespace, namespace)

    async def key() -> str:
        async with opened(clusters[0].kubeconfig) as api:
            held = await api.get(SECRETS, namespace, SECRET_JWT)
        return str(held.look("data")[SECRET_JWT_KEY])

    await ctl.good("jwt", "create-key")
    first = await key()
    refused = await ctl("jwt", "create-key")
    second = await key()
    await ctl.good("jwt", "create-key", "--upsert")

    assert refused.status == 1
    assert "exists already" in refused.err
    assert second == first
    assert await key() != first
