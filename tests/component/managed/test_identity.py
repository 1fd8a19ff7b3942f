"""Who the principal is: made once, and the same from then on."""

import pytest

from argocd_agent.backends.embedded import open_memory
from argocd_agent.errors import ConfigError
from argocd_agent.principal.identity import principal_uid
from argocd_agent.protocol.names import CONFIGMAP_IDENTITY
from argocd_agent.resources.kinds import CONFIGMAPS, NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object


@pytest.mark.feature("P-7")
async def test_the_identity_of_a_hub_is_made_once() -> None:
    cluster = open_memory()
    for name in ("argocd", "other"):
        await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))

    first, again = await principal_uid(cluster, "argocd"), await principal_uid(cluster, "argocd")

    assert first == again != ""
    assert await principal_uid(cluster, "other") != first


@pytest.mark.feature("P-7")
async def test_an_identity_that_is_none_is_named_and_not_replaced() -> None:
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name="argocd")))
    empty = new_object(CONFIGMAPS, Metadata(name=CONFIGMAP_IDENTITY, namespace="argocd"), data={"other": "x"})
    await cluster.create(CONFIGMAPS, empty)

    with pytest.raises(ConfigError, match=f"argocd/{CONFIGMAP_IDENTITY}.*expected a UID"):
        await principal_uid(cluster, "argocd")
