"""A followed log from pod to reader, with both of our ends whole and a line between that is cut at random moments."""

import asyncio
import random
from types import SimpleNamespace

import pytest
from aiohttp import web

from argocd_agent.agent.serve.logs import LogServer
from argocd_agent.agent.serve.ports import everything
from argocd_agent.protocol.events import AgentName, Event
from argocd_agent.protocol.modes import Mode
from argocd_agent.proxies.logs import Logs
from argocd_agent.proxies.reach import Reached
from tests.support.loglink import LogLink
from tests.support.memoryhttp import MemoryHttp
from tests.support.pods import START, FakePods
from tests.support.world import passing

AGENT = AgentName("agent-1")


@pytest.mark.feature("A-92", "P-98")
@pytest.mark.parametrize("seed", range(12))
async def test_whenever_the_line_is_cut_every_line_arrives_once_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    events: list[Event] = []
    reached = Reached(Mode.MANAGED, is_reference=False, send=events.append)
    logs = Logs(lambda _: reached, limit=1)
    link, pods = LogLink(logs, AGENT), FakePods(piece_bytes=chance.choice([7, 100, 5000]))
    server = LogServer(pods, link, everything, limit=1, clock=lambda: START / 10**9)
    running = asyncio.create_task(server.run())
    timestamps = chance.choice(["true", "false"])

    async def handler(request: web.Request) -> web.StreamResponse:
        return await logs(AGENT, request, SimpleNamespace(namespace="default", name="web"))

    line = MemoryHttp(handler)
    line.ask(f"/log?follow=true&timestamps={timestamps}")
    await passing(0.1)
    link.up.set()
    await server.handle(events[0])
    wanted, now = [], 0
    for number in range(150):
        now += chance.choice([0, 0, 1, 1000, 300_000_000])
        wanted.append(f"line {number} " + "x" * chance.choice([0, 10, 3000]))
        pods.say(now, wanted[-1])
        match chance.randrange(20):
            case 0:
                link.cut()
            case 1 | 2:
                link.up.set()
            case 3:
                pods.break_off()
            case 4:
                line.stop_reading()
            case 5 | 6:
                line.read_on()
        if chance.random() < 0.5:
            await passing(chance.choice([0.001, 0.1, 2]))
        if len(link.calls) and not link.up.is_set() and chance.random() < 0.3:
            link.up.set()
    link.up.set()
    line.read_on()
    await passing(20)
    pods.end()
    await passing(20)

    shown = line.body.decode().splitlines()
    assert [text[text.index("line ") :] for text in shown] == wanted
    assert line.is_whole
    await line.end()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
