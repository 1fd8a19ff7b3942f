"""Health and metrics over real sockets, to the byte where the reference's users look."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from argocd_agent.errors import ConfigError
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.http import health_pages, metrics_pages, serving
from argocd_agent.telemetry.metrics import agent_metrics

Ask = Callable[[bytes], Awaitable[tuple[int, dict[str, str], bytes]]]


def with_pages(health: Health, is_healthy: bool, ask_about: Callable[[Ask], Awaitable[None]]) -> None:
    async def go() -> None:
        _, registry = agent_metrics("1", "managed")
        pages = {**health_pages(health, lambda: is_healthy), **metrics_pages(registry)}
        async with asyncio.timeout(10), serving(pages, "127.0.0.1", 0, "--healthz-port") as port:

            async def ask(request: bytes) -> tuple[int, dict[str, str], bytes]:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(request)
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
                writer.close()
                lines = head.decode().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines[1:])
                return int(lines[0].split(" ")[1]), headers, body

            await ask_about(ask)

    asyncio.run(go())


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


@pytest.mark.feature("A-96")
@pytest.mark.parametrize(("is_healthy", "status"), [(True, 200), (False, 503)])
def test_healthz_is_empty_plain_text_as_the_references(is_healthy: bool, status: int) -> None:
    async def ask_about(ask: Ask) -> None:
        found, headers, body = await ask(get("/healthz"))

        assert (found, body) == (status, b"")
        assert headers["Content-Type"].startswith("text/plain")

    with_pages(Health([]), is_healthy, ask_about)


def test_readyz_says_what_is_missing_in_text_and_json() -> None:
    health = Health(["watching Applications"])
    health.set("watching Applications", False, "the cluster has no applications.argoproj.io")

    async def ask_about(ask: Ask) -> None:
        text = await ask(get("/readyz"))
        json = await ask(get("/readyz", "Accept: application/json"))
        health.set("watching Applications", True)
        ready = await ask(get("/readyz"))

        assert text[0] == json[0] == 503
        assert text[2] == b"not ready: watching Applications: the cluster has no applications.argoproj.io\n"
        assert json[2] == (
            b'{"ready":false,"missing":{"watching Applications":"the cluster has no applications.argoproj.io"}}\n'
        )
        assert (ready[0], ready[2]) == (200, b"ok\n")

    with_pages(health, False, ask_about)


@pytest.mark.feature("C-94")
def test_livez_answers_even_when_nothing_is_ready() -> None:
    async def ask_about(ask: Ask) -> None:
        assert (await ask(get("/livez")))[0] == 200

    with_pages(Health(["a"]), False, ask_about)


def test_metrics_come_in_prometheus_text_format() -> None:
    async def ask_about(ask: Ask) -> None:
        status, headers, body = await ask(get("/metrics?x=1"))

        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert int(headers["Content-Length"]) == len(body)
        assert b"argocd_agent_connection_status 0\n" in body

    with_pages(Health([]), True, ask_about)


@pytest.mark.feature("A-96")
def test_what_is_no_page_or_no_request_is_answered_in_kind() -> None:
    async def ask_about(ask: Ask) -> None:
        missing = await ask(get("/debug/pprof/"))

        assert (missing[0], b"/readyz" in missing[2]) == (404, True)
        assert (await ask(b"POST /healthz HTTP/1.1\r\n\r\n"))[0] == 405
        assert (await ask(b"nonsense\r\n\r\n"))[0] == 400
        head = await ask(b"HEAD /livez HTTP/1.1\r\n\r\n")
        assert (head[0], head[1]["Content-Length"], head[2]) == (200, "3", b"")

    with_pages(Health([]), True, ask_about)


def test_a_taken_port_is_an_error_that_names_the_setting() -> None:
    async def go() -> str:
        async with serving({}, "127.0.0.1", 0, "--metrics-port") as port:
            with pytest.raises(ConfigError) as refused:
                async with serving({}, "127.0.0.1", port, "--metrics-port"):
                    pass
        return str(refused.value)

    assert asyncio.run(go()).startswith("--metrics-port: cannot listen on 127.0.0.1, port ")
