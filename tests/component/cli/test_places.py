"""Which cluster and namespace argocd-agentctl works on, and that it says so."""

import asyncio
import json
from pathlib import Path

import pytest

from argocd_agent.cli.places import KubernetesPlaces, Wanted
from argocd_agent.errors import ConfigError


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    def context(name: str, namespace: str) -> dict[str, object]:
        return {
            "name": name,
            "context": {"cluster": "c", "user": "u"} | ({"namespace": namespace} if namespace else {}),
        }

    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [context("hub", "gitops"), context("spoke", "")],
                "current-context": "hub",
            }
        )
    )
    return {"KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path)}


def opened(places: KubernetesPlaces, side: str, namespace: str = "") -> str:
    async def go() -> str:
        manager = places.principal() if side == "principal" else places.agent(namespace)
        async with manager as place:
            return place.namespace

    return asyncio.run(go())


@pytest.mark.feature("C-75")
@pytest.mark.parametrize(
    ("wanted", "namespace"),
    [
        (Wanted(), "gitops"),
        (Wanted(context="hub"), "gitops"),
        (Wanted(context="spoke"), "argocd"),
        (Wanted(namespace="mine"), "mine"),
        (Wanted(context="spoke", namespace="mine"), "mine"),
    ],
)
def test_namespace_is_the_flags_then_the_contexts_then_argocd(
    environ: dict[str, str], wanted: Wanted, namespace: str
) -> None:
    assert opened(KubernetesPlaces(wanted, Wanted(), environ), "principal") == namespace


@pytest.mark.feature("C-75")
def test_the_commands_own_namespace_comes_first(environ: dict[str, str]) -> None:
    places = KubernetesPlaces(Wanted(), Wanted("spoke", "global"), environ)

    assert opened(places, "agent", "local") == "local"
    assert opened(places, "agent") == "global"


@pytest.mark.feature("C-75")
def test_what_was_chosen_stands_on_stderr(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    opened(KubernetesPlaces(Wanted(), Wanted("spoke"), environ), "agent")

    assert capsys.readouterr().err == "agent: context spoke, namespace argocd\n"


def test_an_unknown_context_is_an_error_that_names_it(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        opened(KubernetesPlaces(Wanted("nowhere"), Wanted(), environ), "principal")
