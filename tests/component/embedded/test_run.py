"""The face as a process: one ready line, objects in a file, a quick end."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from argocd_agent.backends.kubernetes import KubernetesCluster, load
from argocd_agent.backends.ports import Scope
from argocd_agent.errors import Gone
from argocd_agent.resources.kinds import CONFIGMAPS
from tests.unit.backends.embedded.builders import a_configmap

pytestmark = pytest.mark.real_time(timeout=40)


async def _start(folder: Path, *arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    """A face whose kubeconfig is in *folder*, and its ready line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "argocd_agent.backends.embedded.face", "--kubeconfig", str(folder / "kubeconfig"), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    return process, (await process.stdout.readline()).decode()


async def _stop(process: asyncio.subprocess.Process, number: signal.Signals) -> tuple[int, float]:
    """Its exit status, and how many seconds it took to end."""
    start = asyncio.get_running_loop().time()
    process.send_signal(number)
    return await process.wait(), asyncio.get_running_loop().time() - start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_when_it_is_ready_and_ends_within_a_second(tmp_path: Path, number: signal.Signals) -> None:
    process, ready = await _start(tmp_path, "--namespace", "argocd", "team")
    client = KubernetesCluster(load(str(tmp_path / "kubeconfig")))
    created = await client.create(CONFIGMAPS, a_configmap().with_metadata(namespace="team"))

    status, seconds = await _stop(process, number)
    await client.close()

    assert ready.startswith("ready http://127.0.0.1:")
    assert created.uid
    assert status == 0
    assert seconds < 1


async def test_objects_in_a_file_are_there_again(tmp_path: Path) -> None:
    for turn in range(2):
        process, _ = await _start(tmp_path, "--sqlite", str(tmp_path / "db"))
        client = KubernetesCluster(load(str(tmp_path / "kubeconfig")))
        if turn == 0:
            created = await client.create(CONFIGMAPS, a_configmap(data={"a": "b"}))
        else:
            kept = await client.get(CONFIGMAPS, "default", "settings")
        await client.close()
        await _stop(process, signal.SIGTERM)

    assert kept.metadata == created.metadata


async def test_a_port_that_is_taken_ends_it_with_the_reason(tmp_path: Path) -> None:
    first, ready = await _start(tmp_path)
    port = ready.split()[1].rpartition(":")[2]

    second, _ = await _start(tmp_path, "--port", port)
    assert second.stderr is not None
    words = (await second.stderr.read()).decode()
    status = await second.wait()
    await _stop(first, signal.SIGTERM)

    assert status == 1
    assert words.startswith("[FATAL]: ")
    assert "address already in use" in words


async def test_without_a_file_versions_of_an_earlier_process_are_gone(tmp_path: Path) -> None:
    first, _ = await _start(tmp_path)
    client = KubernetesCluster(load(str(tmp_path / "kubeconfig")))
    seen = (await client.list(CONFIGMAPS)).version
    await client.close()
    await _stop(first, signal.SIGTERM)

    second, _ = await _start(tmp_path)
    client = KubernetesCluster(load(str(tmp_path / "kubeconfig")))
    with pytest.raises(Gone):
        await anext(aiter(client.watch(CONFIGMAPS, Scope(), seen)))
    await client.close()
    await _stop(second, signal.SIGTERM)
