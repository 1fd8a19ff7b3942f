"""Where keys, certificates and passwords come from: files instead of Secrets, and a password file instead of mTLS."""

import asyncio
import base64
from pathlib import Path

import bcrypt
import pytest

from argocd_agent.protocol.names import (
    SECRET_CA,
    SECRET_CLIENT_TLS,
    SECRET_JWT,
    SECRET_PRINCIPAL_TLS,
    SECRET_RESOURCE_PROXY_TLS,
)
from argocd_agent.resources.kinds import SECRETS
from tests.support.pairs import Pair, ended
from tests.support.sites import install_hub, install_spoke, opened


async def moved_to_files(folder: Path, kubeconfig: Path, namespace: str, *names: str) -> None:
    """Write the fields of these Secrets to files NAME.FIELD, and delete the Secrets."""
    async with opened(kubeconfig) as api:
        for name in names:
            data = (await api.get(SECRETS, namespace, name)).look("data")
            for field, value in data.items():
                (folder / f"{name}.{field}").write_bytes(base64.b64decode(value))
            await api.delete(SECRETS, namespace, name)


async def works(pair: Pair) -> None:
    await pair.ready()
    async with pair.open() as (hub, spoke):
        await hub.create("guestbook")
        await spoke.until_there("guestbook")


@pytest.mark.feature("P-21", "A-6", "A-9", "C-56", "C-58")
async def test_keys_and_certificates_may_all_come_from_files(kubeconfigs: tuple[Path, ...], tmp_path: Path) -> None:
    hub = await install_hub(kubeconfigs[0])
    spoke = await install_spoke(hub, kubeconfigs[1])
    at_hub, at_spoke = tmp_path / "hub", tmp_path / "spoke"
    for folder in (at_hub, at_spoke):
        folder.mkdir()
    of_hub = (SECRET_PRINCIPAL_TLS, SECRET_RESOURCE_PROXY_TLS, SECRET_CA, SECRET_JWT)
    await moved_to_files(at_hub, hub.kubeconfig, hub.namespace, *of_hub)
    await moved_to_files(at_spoke, spoke.kubeconfig, spoke.namespace, SECRET_CLIENT_TLS, SECRET_CA)

    principal = hub.start(
        f"--tls-cert={at_hub / SECRET_PRINCIPAL_TLS}.tls.crt",
        f"--tls-key={at_hub / SECRET_PRINCIPAL_TLS}.tls.key",
        f"--root-ca-path={at_hub / SECRET_CA}.tls.crt",
        f"--jwt-key={at_hub / SECRET_JWT}.jwt.key",
        f"--resource-proxy-cert-path={at_hub / SECRET_RESOURCE_PROXY_TLS}.tls.crt",
        f"--resource-proxy-key-path={at_hub / SECRET_RESOURCE_PROXY_TLS}.tls.key",
        f"--resource-proxy-ca-path={at_hub / SECRET_CA}.tls.crt",
    )
    agent = spoke.start(
        f"--tls-client-cert={at_spoke / SECRET_CLIENT_TLS}.tls.crt",
        f"--tls-client-key={at_spoke / SECRET_CLIENT_TLS}.tls.key",
        f"--root-ca-path={at_spoke / SECRET_CA}.ca.crt",
    )
    with ended(principal, agent):
        await works(Pair(hub, spoke, principal, agent))


@pytest.mark.feature("P-11", "A-7", "A-9", "C-54", "C-56")
async def test_a_password_opens_and_a_wrong_one_does_not(kubeconfigs: tuple[Path, ...], tmp_path: Path) -> None:
    hub = await install_hub(kubeconfigs[0])
    spoke = await install_spoke(hub, kubeconfigs[1])
    known, right, wrong = tmp_path / "known", tmp_path / "right", tmp_path / "wrong"
    known.write_text(f"{spoke.agent}:{bcrypt.hashpw(b'secret', bcrypt.gensalt(rounds=4)).decode()}\n")
    right.write_text(f"{spoke.agent}:secret\n")
    wrong.write_text(f"{spoke.agent}:Secret\n")

    principal = hub.start(f"--auth=userpass:{known}")
    with ended(principal):
        refused = spoke.start(f"--creds=userpass:{wrong}", "--insecure-tls")
        with ended(refused):
            await asyncio.to_thread(refused.until_not_ready, "authentication failed")
        agent = spoke.start(f"--creds=userpass:{right}", "--insecure-tls")
        with ended(agent):
            await works(Pair(hub, spoke, principal, agent))


@pytest.mark.feature("C-58")
async def test_what_is_generated_at_the_start_works_and_a_restart_makes_it_anew(kubeconfigs: tuple[Path, ...]) -> None:
    hub = await install_hub(kubeconfigs[0])
    spoke = await install_spoke(hub, kubeconfigs[1])
    await hub.drop(SECRET_JWT)
    await hub.drop(SECRET_PRINCIPAL_TLS)
    generated = ("--insecure-jwt-generate", "--insecure-tls-generate")

    pair = Pair(hub, spoke, hub.start(*generated), spoke.start("--insecure-tls"), generated)
    with ended(pair.principal, pair.agent):
        await works(pair)
        pair.principal.kill()
        since = pair.agent.mark
        pair.start_principal()
        with ended(pair.principal):
            await asyncio.to_thread(pair.agent.until_said, "Connected to the principal", since=since)
            await pair.ready()
