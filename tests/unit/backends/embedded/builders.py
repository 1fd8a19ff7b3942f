"""An engine whose clock stands still and whose uids count, and objects that show only what matters."""

import itertools

from argocd_agent.backends.embedded.engine import Engine
from argocd_agent.backends.embedded.kinds import DEPLOYMENTS, PODS
from argocd_agent.backends.embedded.store import WINDOW_CHANGES, Store
from argocd_agent.codec import encode
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, Api
from argocd_agent.resources.objects import Metadata, Object, OwnerReference, new_object

NOW = "2026-01-02T03:04:05Z"
SPEC = {"project": "default", "destination": {"server": "s", "namespace": "n"}, "source": {"repoURL": "r", "path": "p"}}


def an_engine(window: int = WINDOW_CHANGES) -> Engine:
    """An engine with the namespaces that every cluster has."""
    uids = itertools.count(1)
    engine = Engine(Store(window=window), now=lambda: NOW, new_uid=lambda: f"uid-{next(uids)}")
    engine.begin()
    return engine


def an_application(
    name: str = "guestbook", *, spec: object = SPEC, status: object = None, **metadata: object
) -> Object:
    about = Metadata(name=name, namespace="default")
    return new_object(APPLICATIONS, about, spec=spec, status=status).with_metadata(**metadata)


def a_configmap(name: str = "settings", *, data: object = None, **metadata: object) -> Object:
    return new_object(CONFIGMAPS, Metadata(name=name, namespace="default"), data=data).with_metadata(**metadata)


def a_deployment(name: str = "web", **spec: object) -> Object:
    pod = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": "nginx"}]}}
    full = {"selector": {"matchLabels": {"app": name}}, "template": pod, **spec}
    return new_object(DEPLOYMENTS, Metadata(name=name, namespace="default"), spec=full)


def a_pod(name: str, *owners: OwnerReference) -> Object:
    about = Metadata(name=name, namespace="default", owner_references=owners or None)
    return new_object(PODS, about, spec={"containers": [{"name": "main", "image": "nginx"}]})


def owned_by(api: Api, owner: Object, *, blocks: bool | None = None) -> OwnerReference:
    return OwnerReference(
        api_version=api.api_version, kind=api.kind, name=owner.name, uid=owner.uid, block_owner_deletion=blocks
    )


def create(engine: Engine, api: Api, obj: Object) -> Object:
    return engine.create(engine.kind(api), obj).object


def names(engine: Engine, api: Api, namespace: str | None = "default") -> list[str]:
    return [name for _, name in engine.store.keys_of(api.resource, namespace)]


def with_field(obj: Object, name: str, value: object) -> Object:
    return obj.with_fields({name: encode(value)})
