"""A certificate is put on the blocklist and taken off again while everything runs, and through a restart."""

import asyncio
import base64
from pathlib import Path

import pytest

from argocd_agent.pki.certificates import load_certificates
from argocd_agent.pki.fingerprints import fingerprint, to_der
from argocd_agent.protocol.names import CONFIGMAP_BLOCKLIST, SECRET_CLIENT_TLS
from argocd_agent.resources.kinds import CONFIGMAPS, SECRETS
from argocd_agent.resources.objects import Metadata, new_object
from tests.support.pairs import a_pair
from tests.support.sites import Spoke, opened


async def fingerprint_of(spoke: Spoke) -> str:
    async with opened(spoke.kubeconfig) as api:
        data = (await api.get(SECRETS, spoke.namespace, SECRET_CLIENT_TLS)).look("data")
    return fingerprint(to_der(load_certificates(base64.b64decode(data["tls.crt"]).decode(), "the Secret")[0]))


@pytest.mark.feature("P-18", "P-19", "C-59")
async def test_a_blocked_agent_is_cut_off_and_refused_until_it_is_taken_off(kubeconfigs: tuple[Path, ...]) -> None:
    async with (
        a_pair(*kubeconfigs) as pair,
        opened(pair.hub.kubeconfig) as api,
        pair.open() as (hub, spoke),
    ):
        blocked = Metadata(name=CONFIGMAP_BLOCKLIST, namespace=pair.hub.namespace)
        await api.create(CONFIGMAPS, new_object(CONFIGMAPS, blocked, data={await fingerprint_of(pair.spoke): "stolen"}))

        await asyncio.to_thread(pair.principal.until_said, "An agent disconnected", "blocked")
        await asyncio.to_thread(pair.agent.until_not_ready, "authentication failed")
        await asyncio.to_thread(pair.principal.stop)
        pair.start_principal()
        await asyncio.to_thread(pair.principal.until_said, "on the blocklist")
        await asyncio.to_thread(pair.agent.until_not_ready, "authentication failed")

        await api.delete(CONFIGMAPS, pair.hub.namespace, CONFIGMAP_BLOCKLIST)
        await asyncio.to_thread(pair.agent.until_ready)
        await hub.create("guestbook")
        await spoke.until_there("guestbook")
