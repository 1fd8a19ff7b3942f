import asyncio, time, pathlib, json, os
from tests.support.guestbook import guestbook
from tests.support.shop import AUTOMATED, SECONDS, Shop, is_
from tests.support.sites import a_name

import pytest


@pytest.mark.real_time(timeout=1400)
async def test_scratch(pair, autonomous, hub_argo, git, node, tools):
    out = {}
    for n, p in (("m", pair), ("a", autonomous)):
        repository = git.repository(a_name("shop"))
        repository.commit(guestbook("one", replicas=2))
        shop = Shop(p, hub_argo, repository)
        async with p.open() as (hub, spoke):
            if n == "m":
                await shop.create(hub, to=p.spoke.agent, spec=AUTOMATED)
            else:
                await shop.create(spoke, to="in-cluster", spec=AUTOMATED)
            await hub.until(shop.name, is_("Synced", "Healthy"), "synced", SECONDS)
        out[n] = dict(
            app=f"{p.spoke.agent}/{shop.name}",
            target=shop.target,
            name=shop.name,
            agent=p.spoke.agent,
            spoke_kc=str(p.spoke.kubeconfig),
            sns=p.spoke.namespace,
        )
    await asyncio.to_thread(hub_argo.run, "app", "list")
    out.update(
        tools=str(tools),
        server=hub_argo.site.server,
        folder=str(hub_argo.site.folder),
        log=str(node.log),
        hub_kc=str(pair.hub.kubeconfig),
        hubns=pair.hub.namespace,
        hub_redis=hub_argo.site.redis,
        face=pair.hub.redis,
        proxy=pair.hub.proxy,
    )
    pathlib.Path("/tmp/e2e.json").write_text(json.dumps(out, indent=1))
    while not os.path.exists("/tmp/e2e.stop"):
        for n, p in (
            ("principal", pair.principal),
            ("agent", pair.agent),
            ("auto", autonomous.agent),
            *((str(k), v) for k, v in hub_argo.programs.items()),
        ):
            pathlib.Path(f"/tmp/e2e-{n}.log").write_text("\n".join(t for _, t in p.lines))
        await asyncio.sleep(1)
