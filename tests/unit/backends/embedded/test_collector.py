"""What goes when something goes: dependants, contents of namespaces, in the three ways of propagation."""

from argocd_agent.backends.embedded.engine import Engine
from argocd_agent.backends.embedded.kinds import DEPLOYMENTS, PODS
from argocd_agent.backends.ports import PatchType, Propagation
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, Object, OwnerReference, new_object
from tests.unit.backends.embedded.builders import (
    a_configmap,
    a_deployment,
    a_pod,
    an_application,
    an_engine,
    create,
    names,
    owned_by,
)


def _delete(engine: Engine, api: Api, name: str, propagation: Propagation = Propagation.BACKGROUND) -> bool:
    """Whether it is gone at once."""
    namespace = "default" if api.namespaced else ""
    return engine.delete(engine.kind(api), namespace, name, propagation=propagation).is_gone


def _finish(engine: Engine, api: Api, name: str) -> None:
    engine.patch(engine.kind(api), "default", name, {"metadata": {"finalizers": None}}, PatchType.MERGE)


def _owner(engine: Engine) -> Object:
    return create(engine, DEPLOYMENTS, a_deployment())


def test_dependants_go_with_their_last_owner() -> None:
    engine = an_engine()
    owner = _owner(engine)
    pod = create(engine, PODS, a_pod("pod", owned_by(DEPLOYMENTS, owner)))
    create(engine, CONFIGMAPS, a_configmap(owner_references=(owned_by(PODS, pod),)))

    _delete(engine, DEPLOYMENTS, "web")

    assert names(engine, PODS) == []
    assert names(engine, CONFIGMAPS) == [], "dependants of dependants too"


def test_a_dependant_with_another_owner_stays_and_forgets_the_lost_one() -> None:
    engine = an_engine()
    lost, kept = _owner(engine), create(engine, DEPLOYMENTS, a_deployment("kept"))
    create(engine, PODS, a_pod("pod", owned_by(DEPLOYMENTS, lost), owned_by(DEPLOYMENTS, kept)))

    _delete(engine, DEPLOYMENTS, "web")

    pod = engine.get(engine.kind(PODS), "default", "pod")
    assert pod.metadata.owner_references == (owned_by(DEPLOYMENTS, kept),)


def test_orphans_stay_without_their_owner() -> None:
    engine = an_engine()
    create(engine, PODS, a_pod("pod", owned_by(DEPLOYMENTS, _owner(engine))))

    _delete(engine, DEPLOYMENTS, "web", Propagation.ORPHAN)

    assert names(engine, DEPLOYMENTS) == []
    assert engine.get(engine.kind(PODS), "default", "pod").metadata.owner_references is None


def test_foreground_waits_for_blocking_dependants() -> None:
    engine = an_engine()
    blocking = owned_by(DEPLOYMENTS, _owner(engine), blocks=True)
    create(engine, PODS, a_pod("pod", blocking).with_metadata(finalizers=("a/b",)))

    gone_at_once = _delete(engine, DEPLOYMENTS, "web", Propagation.FOREGROUND)
    waiting = engine.get(engine.kind(DEPLOYMENTS), "default", "web")
    _finish(engine, PODS, "pod")

    assert not gone_at_once
    assert waiting.metadata.finalizers == ("foregroundDeletion",)
    assert names(engine, DEPLOYMENTS) == []


def test_foreground_does_not_wait_for_others() -> None:
    engine = an_engine()
    create(engine, PODS, a_pod("pod", owned_by(DEPLOYMENTS, _owner(engine))).with_metadata(finalizers=("a/b",)))

    assert _delete(engine, DEPLOYMENTS, "web", Propagation.FOREGROUND)
    assert engine.get(engine.kind(PODS), "default", "pod").is_deleting


def test_foreground_without_dependants_is_over_at_once() -> None:
    engine = an_engine()
    _owner(engine)

    assert _delete(engine, DEPLOYMENTS, "web", Propagation.FOREGROUND)


def test_a_long_chain_of_owners_goes_whole() -> None:
    engine = an_engine()
    last = create(engine, PODS, a_pod("pod-0"))
    for number in range(1, 200):
        last = create(engine, PODS, a_pod(f"pod-{number}", owned_by(PODS, last)))

    _delete(engine, PODS, "pod-0")

    assert names(engine, PODS) == []


def test_what_is_born_without_any_living_owner_goes_at_once() -> None:
    engine = an_engine()
    dead = OwnerReference(api_version="v1", kind="Pod", name="x", uid="no-such-uid")
    unknown = OwnerReference(api_version="example.com/v1", kind="Widget", name="x", uid="no-such-uid")

    create(engine, PODS, a_pod("of-the-dead", dead))
    create(engine, PODS, a_pod("of-a-kind-not-served", unknown))

    assert names(engine, PODS) == ["of-a-kind-not-served"]


def test_a_namespace_takes_its_contents_along() -> None:
    engine = an_engine()
    create(engine, NAMESPACES, new_object(NAMESPACES, Metadata(name="team")))
    create(engine, CONFIGMAPS, a_configmap().with_metadata(namespace="team"))
    create(engine, CONFIGMAPS, a_configmap())

    assert _delete(engine, NAMESPACES, "team")
    assert names(engine, CONFIGMAPS, None) == ["settings"], "that of the default namespace"


def test_a_namespace_waits_for_contents_with_finalizers() -> None:
    engine = an_engine()
    create(engine, NAMESPACES, new_object(NAMESPACES, Metadata(name="team")))
    create(engine, APPLICATIONS, an_application(finalizers=("a/b",)).with_metadata(namespace="team"))

    gone_at_once = _delete(engine, NAMESPACES, "team")
    waiting = engine.get(engine.kind(NAMESPACES), "", "team")
    kind = engine.kind(APPLICATIONS)
    engine.patch(kind, "team", "guestbook", {"metadata": {"finalizers": None}}, PatchType.MERGE)

    assert not gone_at_once
    assert waiting.look("status") == {"phase": "Terminating"}
    assert "team" not in names(engine, NAMESPACES, None)


def test_a_second_deletion_changes_nothing() -> None:
    engine = an_engine()
    create(engine, APPLICATIONS, an_application(finalizers=("a/b",)))
    _delete(engine, APPLICATIONS, "guestbook")
    marked = engine.get(engine.kind(APPLICATIONS), "default", "guestbook")

    _delete(engine, APPLICATIONS, "guestbook")

    assert engine.get(engine.kind(APPLICATIONS), "default", "guestbook") == marked
    assert marked.metadata.generation == 2, "the mark counts as a change"
