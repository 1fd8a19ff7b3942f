import asyncio
from urllib.parse import parse_qsl

import pytest

from argocd_agent.backends.kubernetes.pods import KubernetesPods, exec_request, log_request
from argocd_agent.backends.pods import Command, Exec, LogOptions
from argocd_agent.errors import BadRequest, Forbidden, NotFound, Unavailable
from argocd_agent.wire.execframes import Ended
from tests.support.kubelets import Kubelet, OldServer, a_kubelet, an_old_server

pytestmark = pytest.mark.real_time(20)

SHELL = Command(namespace="default", pod="web", container="app", words=("sh", "-c", "a b"))


FORBIDDEN = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 77\r\n\r\n"
    b'{"kind":"Status","code":403,"reason":"Forbidden","message":"no create, sorry."}'
)


async def until_ended(command: Exec) -> tuple[bytes, Ended]:
    output = b""
    while not isinstance(found := await command.read(), Ended):
        output += found
    return output, found


@pytest.mark.feature("A-91")
def test_every_option_of_a_log_is_asked_for_in_kubernetes_words() -> None:
    options = LogOptions(
        namespace="default",
        pod="web",
        container="app",
        follow=True,
        previous=True,
        timestamps=True,
        skips_backend_verification=True,
        tail_lines=0,
        since_seconds=5,
        since_time="2026-11-21T12:00:00Z",
        limit_bytes=10,
    )

    request = log_request(options)

    assert (request.method, request.path) == ("GET", "/api/v1/namespaces/default/pods/web/log")
    assert dict(parse_qsl(request.query)) == {
        "container": "app",
        "follow": "true",
        "previous": "true",
        "timestamps": "true",
        "insecureSkipTLSVerifyBackend": "true",
        "tailLines": "0",
        "sinceSeconds": "5",
        "sinceTime": "2026-11-21T12:00:00Z",
        "limitBytes": "10",
    }


def test_names_cannot_lead_to_another_path() -> None:
    assert log_request(LogOptions(namespace="a/b", pod="p?q")).path == "/api/v1/namespaces/a%2Fb/pods/p%3Fq/log"
    with pytest.raises(BadRequest):
        log_request(LogOptions(namespace="default", pod=".."))
    with pytest.raises(BadRequest):
        exec_request(Command(namespace=".", pod="web"), "POST")


@pytest.mark.feature("A-94")
def test_a_command_is_asked_for_word_by_word_and_with_a_terminal_without_stderr() -> None:
    query = parse_qsl(exec_request(SHELL, "GET").query)

    assert [value for name, value in query if name == "command"] == ["sh", "-c", "a b"]
    assert {name for name, _ in query} == {"command", "container", "stdin", "stdout", "tty"}


@pytest.mark.feature("A-91")
async def test_a_log_comes_in_pieces_of_at_most_64_kib() -> None:
    kubelet = Kubelet(log=b"0123456789" * 20_000)
    async with a_kubelet(kubelet) as cluster, KubernetesPods(cluster).log(LogOptions(namespace="d", pod="p")) as pieces:
        found = [piece async for piece in pieces]

    assert b"".join(found) == kubelet.log
    assert max(map(len, found)) <= 65536


async def test_leaving_a_followed_log_ends_it_at_the_cluster() -> None:
    kubelet = Kubelet()
    async with a_kubelet(kubelet) as cluster:
        async with KubernetesPods(cluster).log(LogOptions(namespace="d", pod="p", follow=True)) as pieces:
            async for piece in pieces:
                assert piece == b"one\ntwo\n"
                break
        async with asyncio.timeout(5):
            await kubelet.log_ended.wait()


async def test_a_log_that_is_not_there_is_refused_with_the_clusters_words() -> None:
    async with a_kubelet(Kubelet()) as cluster:
        with pytest.raises(NotFound, match='cannot read the log of pod "d/x": pods "x" not found'):
            async with KubernetesPods(cluster).log(LogOptions(namespace="d", pod="x")):
                raise AssertionError("it is not there")


@pytest.mark.feature("A-94")
@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_a_command_over_a_websocket_takes_input_and_sizes_and_says_its_exit_code(protocol: str) -> None:
    kubelet = Kubelet(protocols=(protocol,))
    async with a_kubelet(kubelet) as cluster:
        command = await KubernetesPods(cluster).exec(SHELL)
        await command.resize(120, 40)
        await command.write(b"hello")
        await command.write(b"exit 3\n")
        output, ended = await until_ended(command)
        await command.close()

    assert (output, ended) == (b"hello", Ended(3, "command terminated with exit code 3"))
    assert kubelet.messages[0] == b'\x04{"Width":120,"Height":40}'


@pytest.mark.feature("A-94")
async def test_in_v5_the_end_of_input_ends_a_command_well_and_in_v4_it_ends_the_connection() -> None:
    endings = []
    for protocol in ("v5.channel.k8s.io", "v4.channel.k8s.io"):
        async with a_kubelet(Kubelet(protocols=(protocol,))) as cluster:
            command = await KubernetesPods(cluster).exec(SHELL)
            await command.close_stdin()
            endings.append((await until_ended(command))[1])

    assert endings[0] == Ended(0)
    assert not endings[1].is_success


async def test_closing_a_command_ends_whoever_reads_from_it() -> None:
    async with a_kubelet(Kubelet()) as cluster:
        command = await KubernetesPods(cluster).exec(SHELL)
        reading = asyncio.create_task(until_ended(command))
        await command.write(b"x")
        await command.close()
        _, ended = await reading

    assert ended.exit_code is None


@pytest.mark.feature("A-94")
async def test_where_the_account_may_only_create_a_command_runs_over_spdy() -> None:
    old = OldServer()
    async with an_old_server(old) as cluster:
        command = await KubernetesPods(cluster).exec(SHELL)
        await command.resize(120, 40)
        await command.write(b"hello")
        first = await command.read()
        await command.write(b"exit 3\n")
        output, ended = await until_ended(command)
        await command.close()

    assert (first, output, ended) == (b"hello", b"", Ended(3, "command terminated with exit code 3"))
    assert old.opened == ["error", "stdin", "stdout", "resize"]
    assert old.sizes == [b'{"Width":120,"Height":40}\n']
    assert "Authorization: Bearer secret" in old.requests[1]
    assert [request.split(" ")[0] for request in old.requests] == ["GET", "POST"]


async def test_over_spdy_the_end_of_input_ends_a_command_well() -> None:
    async with an_old_server(OldServer()) as cluster:
        command = await KubernetesPods(cluster).exec(SHELL)
        await command.close_stdin()

        assert (await until_ended(command))[1] == Ended(0)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (
            FORBIDDEN,
            Forbidden,
            "no create, sorry",
        ),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Exception, "400 Bad Request"),
        (b"nonsense", Unavailable, "no HTTP"),
    ],
)
async def test_a_refusal_of_both_protocols_says_why(answer: bytes, error: type[Exception], text: str) -> None:
    async with an_old_server(OldServer(refuses=answer)) as cluster:
        with pytest.raises(error, match=text):
            await KubernetesPods(cluster).exec(SHELL)
