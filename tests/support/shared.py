"""Builders of what travels beside Applications: repositories, credential templates and GPG keys."""

import base64

from argocd_agent.codec import encode
from argocd_agent.protocol.names import CONFIGMAP_GPG_KEYS, LABEL_SECRET_TYPE, SECRET_TYPE_REPOSITORY
from argocd_agent.resources.kinds import CONFIGMAPS, SECRETS
from argocd_agent.resources.objects import Metadata, Object, new_object


def a_repository(
    name: str = "repo",
    namespace: str = "argocd",
    *,
    project: str | None = "team",
    url: str = "https://git.example/repo",
    kind: str = SECRET_TYPE_REPOSITORY,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> Object:
    """A Secret that Argo CD takes for a repository, or a credential template, of *project*."""
    texts = {"url": url, "password": "hunter2"} | ({} if project is None else {"project": project})
    metadata = Metadata(
        name=name, namespace=namespace, labels={LABEL_SECRET_TYPE: kind, **(labels or {})}, annotations=annotations
    )
    return new_object(SECRETS, metadata, data=encoded(texts), type="Opaque")


def encoded(texts: dict[str, str]) -> dict[str, str]:
    """As `data` of a Secret."""
    return {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}


def text_of(secret: Object, key: str) -> str:
    """The text under *key* of a Secret."""
    return base64.b64decode(secret.look("data")[key]).decode()


def with_text(secret: Object, **texts: str | None) -> Object:
    """The Secret with texts set, or removed where the value is None."""
    data = {**secret.look("data"), **encoded({name: text for name, text in texts.items() if text is not None})}
    return secret.with_fields({"data": encode({name: data[name] for name in data if texts.get(name, "") is not None})})


def the_keys(namespace: str = "argocd", labels: dict[str, str] | None = None, **keys: str) -> Object:
    """Argo CD's ConfigMap of GPG keys."""
    metadata = Metadata(name=CONFIGMAP_GPG_KEYS, namespace=namespace, labels=labels)
    return new_object(CONFIGMAPS, metadata, data=keys)
