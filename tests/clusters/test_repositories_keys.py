"""Repositories, credential templates and GPG keys of the hub: who has them, and that the spokes keep them right."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from argocd_agent.codec import encode
from argocd_agent.protocol.names import (
    ANNOTATION_ADOPTION_POLICY,
    ANNOTATION_REFUSED,
    CONDITION_REFUSED,
    CONFIGMAP_GPG_KEYS,
    LABEL_IGNORE_SYNC,
    LABEL_SECRET_TYPE,
    SECRET_TYPE_REPO_CREDS,
    SECRET_TYPE_REPOSITORY,
)
from argocd_agent.resources.kinds import APPPROJECTS, CONFIGMAPS, SECRETS
from argocd_agent.resources.objects import Object
from tests.support.applications import Claim, Objects, source_of
from tests.support.clusters import RealClusters
from tests.support.events import until_event
from tests.support.fleets import Fleet, shared_fleet
from tests.support.shared import a_repository, text_of, the_keys, with_text
from tests.support.sharing import AUTONOMOUS, MANAGED, RECREATES, UPSERTS, a_shop
from tests.support.sites import a_name

# These tests delete more within a minute than people do, and look at what only a comparison heals.
FLAGS = ("--brake-max-deletions=0", "--anti-entropy-interval=1s")


@pytest.fixture(scope="module")
def fleet(clusters: RealClusters) -> Iterator[Fleet]:
    kubeconfigs = [clusters[number].kubeconfig for number in (1, 2, 1)]
    agents = [FLAGS, [*FLAGS, "--source-uid-mismatch-policy=upsert"], ["--agent-mode=autonomous"]]
    with shared_fleet(clusters[0].kubeconfig, kubeconfigs, principal=FLAGS[1:], agents=agents) as running:
        yield running


@pytest.mark.feature("P-77", "A-58", "C-29", "C-30")
@pytest.mark.parametrize("kind", [SECRET_TYPE_REPOSITORY, SECRET_TYPE_REPO_CREDS])
async def test_a_repository_follows_its_project_late_changed_and_deleted(fleet: Fleet, kind: str) -> None:
    project, other, name = a_name("team"), a_name("other"), a_name("repo")
    async with a_shop(fleet) as shop:
        first, second = shop.secrets_of(RECREATES), shop.secrets_of(UPSERTS)
        made = await shop.repository(project, name, kind)
        everywhere = await shop.project(*MANAGED)
        await shop.arrived(everywhere)
        assert not await first.is_there(name)

        await shop.project(RECREATES, name=project)
        mirror = await first.until_there(name)
        assert (mirror.look("data"), source_of(mirror)) == (made.look("data"), made.uid)
        assert mirror.labels[LABEL_SECRET_TYPE] == kind

        await shop.give(project, *MANAGED)
        await second.until_there(name)
        await shop.secrets.change(name, lambda obj: with_text(obj, password="changed"))
        for side in (first, second):
            await side.until(name, _has_text("password", "changed"), "the change")

        await shop.give(project, UPSERTS)
        await first.until_gone(name)
        assert await second.is_there(name)

        await shop.project(RECREATES, name=other)
        await shop.secrets.change(name, lambda obj: with_text(obj, project=other))
        await first.until_there(name)
        await second.until_gone(name)

        await shop.projects.delete(other)
        await first.until_gone(name)
        assert await shop.secrets.is_there(name)

        await shop.project(*MANAGED, name=other)
        for side in (first, second):
            await side.until_there(name)
        await shop.secrets.delete(name)
        for side in (first, second):
            await side.until_gone(name)


@pytest.mark.feature("P-78")
async def test_a_repository_without_a_project_stays_until_it_has_one(fleet: Fleet) -> None:
    async with a_shop(fleet) as shop:
        project = await shop.project(*MANAGED)
        made = await shop.repository(None)
        await shop.arrived(project)
        assert not await shop.secrets_of(RECREATES).is_there(made.name)

        await shop.secrets.change(made.name, lambda obj: with_text(obj, project=project))
        await shop.secrets_of(RECREATES).until_there(made.name)

        await shop.secrets.change(made.name, lambda obj: with_text(obj, project=None))
        await shop.secrets_of(RECREATES).until_gone(made.name)


def without_label(obj: Object) -> Object:
    return obj.with_metadata(labels={name: obj.labels[name] for name in obj.labels if name != LABEL_SECRET_TYPE})


def ignored(obj: Object) -> Object:
    return obj.with_metadata(labels={**obj.labels, LABEL_IGNORE_SYNC: "true"})


@pytest.mark.feature("A-58", "A-60", "C-31")
@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda obj: with_text(obj, password="mine", url="https://elsewhere"), id="data"),
        pytest.param(lambda obj: with_text(obj, project=None), id="project taken off"),
        pytest.param(lambda obj: with_text(obj, project="mine"), id="another project"),
        pytest.param(without_label, id="label taken off"),
        pytest.param(ignored, id="labelled ignore-sync"),
        pytest.param(None, id="deleted"),
    ],
)
async def test_what_somebody_does_to_a_repository_on_the_spoke_is_undone(
    fleet: Fleet, edit: Callable[[Object], Object] | None
) -> None:
    async with a_shop(fleet) as shop:
        made = await shop.repository(await shop.project(RECREATES))
        spoke = shop.secrets_of(RECREATES)
        mirror = await spoke.until_there(made.name)

        if edit is None:
            await spoke.delete(made.name)
            changed = mirror.uid
        else:
            changed = (await spoke.change(made.name, edit)).version
        right = await spoke.until(
            made.name,
            lambda obj: changed not in (obj.uid, obj.version) and obj.look("data") == made.look("data"),
            "put right",
        )

        assert (right.labels, source_of(right)) == (mirror.labels, made.uid)
        assert await shop.secrets.get(made.name) == made


@pytest.mark.feature("A-58", "C-67")
async def test_a_secret_that_was_there_before_is_left_alone_and_told_about_until_it_may_be_taken(fleet: Fleet) -> None:
    name, agent = a_name("repo"), fleet.spokes[RECREATES].agent
    async with a_shop(fleet) as shop:
        spoke = shop.secrets_of(RECREATES)
        theirs = await spoke.cluster.create(SECRETS, a_repository(name, spoke.namespace, project=None, url="theirs"))

        await shop.repository(await shop.project(RECREATES), name, url="ours")
        told = await shop.secrets.until(name, lambda obj: ANNOTATION_REFUSED in obj.annotations, "the refusal")
        event = await until_event(shop.hub, shop.fleet.hub.namespace, name, CONDITION_REFUSED)

        for word in (agent, f'"{spoke.namespace}/{name}" was on the spoke before', ANNOTATION_ADOPTION_POLICY):
            assert word in told.annotations[ANNOTATION_REFUSED].replace('\\"', '"')
            assert word in event
        assert await spoke.get(name) == theirs

        await spoke.change(name, lambda obj: obj.with_annotations({ANNOTATION_ADOPTION_POLICY: "always"}))
        taken = await spoke.until(name, _has_text("url", "ours"), "taken over")
        await shop.secrets.until(name, lambda obj: ANNOTATION_REFUSED not in obj.annotations, "no refusal")

        assert taken.uid == theirs.uid
        assert ANNOTATION_REFUSED not in (await spoke.get(name)).annotations


@pytest.mark.feature("A-59")
async def test_repositories_of_the_spoke_are_nobody_elses_business(fleet: Fleet) -> None:
    async with a_shop(fleet) as shop:
        project, spoke = await shop.project(*MANAGED), shop.secrets_of(RECREATES)
        own = [
            await spoke.cluster.create(SECRETS, a_repository(a_name("own"), spoke.namespace, project=of))
            for of in (None, project)
        ]
        await shop.arrived(project)

        assert [await spoke.get(one.name) for one in own] == own
        assert not [one.name for one in own if await shop.secrets.is_there(one.name)]


@pytest.mark.feature("P-50", "C-15")
async def test_a_label_keeps_a_repository_its_project_and_the_keys_at_home(fleet: Fleet) -> None:
    async with a_shop(fleet) as shop:
        await shop.without_keys()
        project = await shop.project(*MANAGED)
        spoke = shop.secrets_of(RECREATES)
        there = Objects(spoke.cluster, spoke.namespace, APPPROJECTS)
        places = [
            (shop.secrets, spoke, (await shop.repository(project)).name),
            (shop.keys, shop.keys_of(RECREATES), (await shop.set_keys(A="key")).name),
            (shop.projects, there, await shop.project(RECREATES)),
        ]
        for hub, side, name in places:
            await side.until_there(name)
            await hub.change(name, ignored)
            await side.until_gone(name)
            assert await hub.is_there(name)

            await hub.change(name, lambda obj: obj.with_metadata(labels={**obj.labels, LABEL_IGNORE_SYNC: "True"}))
            mirror = await side.until_there(name)
            assert mirror.labels[LABEL_IGNORE_SYNC] == "True"


@pytest.mark.feature("A-50")
async def test_owners_of_every_kind_stay_on_the_hub(fleet: Fleet) -> None:
    async with a_shop(fleet) as shop:
        await shop.without_keys()
        project = await shop.project(*MANAGED)
        owner = await shop.projects.get(project)
        owners = ({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "name": owner.name, "uid": owner.uid},)
        spoke = shop.secrets_of(RECREATES)
        places = [
            (shop.secrets, spoke, (await shop.repository(project)).name),
            (shop.keys, shop.keys_of(RECREATES), (await shop.set_keys(A="key")).name),
            (shop.projects, Objects(spoke.cluster, spoke.namespace, APPPROJECTS), await shop.project(RECREATES)),
        ]
        for hub, side, name in places:
            await hub.change(
                name, lambda obj: obj.with_metadata(owner_references=owners, labels={**obj.labels, "a": "b"})
            )
            mirror = await side.until(name, lambda obj: "a" in obj.labels, "the change")
            assert (await hub.get(name)).metadata.owner_references
            assert not mirror.metadata.owner_references


@pytest.mark.feature("A-61", "C-10")
@pytest.mark.parametrize("is_away", [True, False])
async def test_a_repository_made_anew_ends_as_the_new_one_by_either_policy(fleet: Fleet, is_away: bool) -> None:
    async with a_shop(fleet) as shop:
        made = await shop.repository(await shop.project(*MANAGED), url="old")
        before = [await shop.secrets_of(number).until_there(made.name) for number in MANAGED]

        if is_away:
            fleet.principal.kill()
        await shop.secrets.delete(made.name)
        new = await shop.repository(text_of(made, "project"), made.name, url="new")
        if is_away:
            fleet.start_principal()
        after = [await shop.secrets_of(number).until(made.name, _mirrors(new), "the new one") for number in MANAGED]

        assert [text_of(mirror, "url") for mirror in after] == ["new", "new"]
        if is_away:  # otherwise the spoke may have heard of the deletion in time
            assert [old.uid == mirror.uid for old, mirror in zip(before, after, strict=True)] == [False, True]


@pytest.mark.feature("P-79", "A-62", "C-32")
async def test_the_keys_follow_the_hub_and_are_put_right_on_the_spokes(fleet: Fleet) -> None:
    async with a_shop(fleet) as shop:
        await shop.without_keys()
        made = await shop.set_keys(A="one")
        sides = [shop.keys_of(number) for number in MANAGED]
        for side in sides:
            mirror = await side.until(CONFIGMAP_GPG_KEYS, _has_data(A="one"), "the keys")
            assert source_of(mirror) == made.uid

        await shop.keys.change(CONFIGMAP_GPG_KEYS, lambda obj: obj.with_fields({"data": encode({"B": "two"})}))
        for side in sides:
            await side.until(CONFIGMAP_GPG_KEYS, _has_data(B="two"), "the change")

        edited = await sides[0].change(CONFIGMAP_GPG_KEYS, lambda obj: obj.with_fields({"data": encode({"X": "mine"})}))
        await sides[0].until(
            CONFIGMAP_GPG_KEYS, lambda obj: obj.version != edited.version and _has_data(B="two")(obj), "put right"
        )
        gone = await sides[1].get(CONFIGMAP_GPG_KEYS)
        await sides[1].delete(CONFIGMAP_GPG_KEYS)
        again = await sides[1].until(CONFIGMAP_GPG_KEYS, lambda obj: obj.uid != gone.uid, "made again")
        assert again.look("data") == {"B": "two"}

        await shop.keys.delete(CONFIGMAP_GPG_KEYS)
        for side in sides:
            await side.until_gone(CONFIGMAP_GPG_KEYS)


@pytest.mark.feature("A-62", "C-32")
async def test_the_keys_that_argo_cd_ships_become_the_hubs(fleet: Fleet) -> None:
    async with a_shop(fleet) as shop:
        await shop.without_keys()
        sides = [shop.keys_of(number) for number in MANAGED]
        shipped = [await side.cluster.create(CONFIGMAPS, the_keys(side.namespace, OLD="key")) for side in sides]

        await shop.set_keys(A="one")
        held = [await side.until(CONFIGMAP_GPG_KEYS, _has_data(A="one"), "the hub's keys") for side in sides]

        assert [one.uid for one in held] == [one.uid for one in shipped]


@pytest.mark.feature("A-62")
async def test_keys_made_anew_while_the_principal_was_away_end_as_the_new_ones_by_either_policy(fleet: Fleet) -> None:
    async with a_shop(fleet) as shop:
        await shop.without_keys()
        await shop.set_keys(A="one")
        sides = [shop.keys_of(number) for number in MANAGED]
        before = [await side.until_there(CONFIGMAP_GPG_KEYS) for side in sides]
        fleet.principal.kill()

        await shop.keys.delete(CONFIGMAP_GPG_KEYS)
        new = await shop.set_keys(B="two")
        fleet.start_principal()
        after = [await side.until(CONFIGMAP_GPG_KEYS, _mirrors(new), "the new ones") for side in sides]

        assert [one.look("data") for one in after] == [{"B": "two"}, {"B": "two"}]
        assert [old.uid == one.uid for old, one in zip(before, after, strict=True)] == [False, True]


@pytest.mark.feature("C-31", "C-66")
@pytest.mark.parametrize("who", ["principal", "agent"])
async def test_what_happened_to_repositories_while_a_program_was_away_is_caught_up_with(fleet: Fleet, who: str) -> None:
    async with a_shop(fleet) as shop:
        project, spoke = await shop.project(RECREATES), shop.secrets_of(RECREATES)
        changed, deleted, drifted, kept = [(await shop.repository(project)).name for _ in range(4)]
        await asyncio.gather(*(spoke.until_there(name) for name in (changed, deleted, drifted, kept)))
        untouched = await spoke.get(kept)
        (fleet.principal if who == "principal" else fleet.agents[RECREATES]).kill()

        await shop.secrets.change(changed, lambda obj: with_text(obj, url="new"))
        await shop.secrets.delete(deleted)
        await spoke.change(drifted, lambda obj: with_text(obj, url="mine"))
        new = await shop.repository(project)
        fleet.start_principal() if who == "principal" else fleet.start_agent(RECREATES)

        await spoke.until(changed, _has_text("url", "new"), "the change")
        await spoke.until_gone(deleted)
        await spoke.until(drifted, _has_text("url", "https://git.example/r"), "the drift put right")
        await spoke.until_there(new.name)
        assert await spoke.get(kept) == untouched


@pytest.mark.feature("A-63", "P-77", "P-79")
async def test_an_autonomous_agent_gets_neither_repositories_nor_keys_and_gives_none(fleet: Fleet) -> None:
    async with a_shop(fleet) as shop:
        await shop.without_keys()
        project = await shop.project(RECREATES, UPSERTS, AUTONOMOUS)
        spoke = shop.secrets_of(AUTONOMOUS)
        own = await spoke.cluster.create(SECRETS, a_repository(a_name("own"), spoke.namespace, project=project))
        made = await shop.repository(project)
        await shop.set_keys(A="one")
        await shop.keys_of(RECREATES).until_there(CONFIGMAP_GPG_KEYS)
        await shop.arrived(project)

        assert not await spoke.is_there(made.name)
        assert not await shop.keys_of(AUTONOMOUS).is_there(CONFIGMAP_GPG_KEYS)
        assert await spoke.get(own.name) == own
        assert not await shop.secrets.is_there(own.name)


def _has_text(key: str, text: str) -> Claim:
    return lambda obj: text_of(obj, key) == text


def _has_data(**data: str) -> Claim:
    return lambda obj: obj.look("data") == data


def _mirrors(source: Object) -> Claim:
    return lambda obj: source_of(obj) == source.uid and not obj.is_deleting
