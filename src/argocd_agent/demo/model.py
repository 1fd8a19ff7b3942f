"""An Argo CD Application as the stand-in reads it, and the manifests that it wants.

Only what the stand-in acts on is declared; everything else of an Application is left alone. Pure.
"""

import base64
from dataclasses import dataclass

import msgspec

from argocd_agent.codec import decode, encode
from argocd_agent.demo.catalogue import find_api
from argocd_agent.demo.merge import Fields, Json, fields_at, text_at, without_nulls
from argocd_agent.errors import ArgocdAgentError
from argocd_agent.protocol.names import ANNOTATION_LAST_APPLIED, ANNOTATION_TRACKING_ID
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Metadata, Object

FINALIZER = "resources-finalizer.argocd.argoproj.io"
PHASE_RUNNING, PHASE_SUCCEEDED, PHASE_FAILED, PHASE_ERROR = "Running", "Succeeded", "Failed", "Error"
COMPLETED = frozenset({PHASE_SUCCEEDED, PHASE_FAILED, PHASE_ERROR})


class Unsupported(ArgocdAgentError):
    """The Application asks for what the stand-in does not do, or this machine lacks; the message names it."""


class Directory(msgspec.Struct, frozen=True):
    """`spec.source.directory`."""

    recurse: bool = False


class HelmParameter(msgspec.Struct, frozen=True, rename="camel"):
    """`spec.source.helm.parameters[]`."""

    name: str = ""
    value: str = ""
    force_string: bool = False


class Helm(msgspec.Struct, frozen=True, rename="camel"):
    """`spec.source.helm`."""

    release_name: str = ""
    value_files: tuple[str, ...] = ()
    values: str = ""
    values_object: dict[str, object] | None = None
    parameters: tuple[HelmParameter, ...] = ()


class Source(msgspec.Struct, frozen=True, rename="camel"):
    """`spec.source`."""

    repo_url: str = msgspec.field(name="repoURL", default="")
    path: str = "."
    target_revision: str = "HEAD"
    chart: str = ""
    directory: Directory = Directory()
    helm: Helm = Helm()


class Destination(msgspec.Struct, frozen=True):
    """`spec.destination`; on a spoke it is always the spoke itself."""

    namespace: str = "default"


class Automated(msgspec.Struct, frozen=True, rename="camel"):
    """`spec.syncPolicy.automated`."""

    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False
    enabled: bool = True


class SyncPolicy(msgspec.Struct, frozen=True, rename="camel"):
    """`spec.syncPolicy`."""

    automated: Automated | None = None
    sync_options: tuple[str, ...] = ()


class Spec(msgspec.Struct, frozen=True, rename="camel"):
    """`spec`."""

    source: Source | None = None
    sources: tuple[Source, ...] = ()
    destination: Destination = Destination()
    sync_policy: SyncPolicy = SyncPolicy()
    revision_history_limit: int = 10


class SyncOperation(msgspec.Struct, frozen=True, rename="camel"):
    """`operation.sync`."""

    revision: str = ""
    prune: bool = False
    dry_run: bool = False
    sync_options: tuple[str, ...] = ()


class Initiator(msgspec.Struct, frozen=True):
    """`operation.initiatedBy`."""

    username: str = ""
    automated: bool = False


class Operation(msgspec.Struct, frozen=True, rename="camel"):
    """`operation`."""

    sync: SyncOperation | None = None
    initiated_by: Initiator = Initiator()


@dataclass(frozen=True, slots=True)
class Application:
    """One Application, read. `status` and `raw_operation` are as stored."""

    object: Object
    spec: Spec
    operation: Operation | None
    raw_operation: Fields
    status: Fields

    @property
    def name(self) -> str:
        return self.object.name

    @property
    def source(self) -> Source:
        """The one source. Raises `Unsupported` for none, several or a chart repository."""
        source = self.spec.source
        if source is None or self.spec.sources:
            raise Unsupported(f"application {self.name}: this stand-in for Argo CD needs exactly one spec.source")
        if source.chart:
            raise Unsupported(f"application {self.name}: spec.source.chart is set, and only Git is supported here")
        return source

    @property
    def finalizer(self) -> str:
        """Argo CD's finalizer on it, empty if there is none: then its resources stay when it goes."""
        return next((name for name in self.object.metadata.finalizers or () if name.startswith(FINALIZER)), "")


def read_application(obj: Object) -> Application:
    """The Application in *obj*. Raises `DecodeError` where a field has the wrong type."""
    raw = obj.fields.get("operation", b"null")
    status = obj.fields.get("status", b"null")
    what = f"application {obj.namespace}/{obj.name}"
    return Application(
        obj,
        decode(obj.fields.get("spec", b"{}"), Spec, f"{what}: spec"),
        decode(raw, Operation | None, f"{what}: operation"),  # type: ignore[arg-type]  # a union is no class to mypy
        fields_at(obj.look("operation")),
        fields_at(decode(status, dict[str, object] | None, f"{what}: status")),  # type: ignore[arg-type]  # as above
    )


@dataclass(frozen=True, slots=True)
class ResourceKey:
    """Which object: kind, namespace (empty for a cluster's own) and name."""

    api: Api
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """As users write it: `deployment.apps/guestbook-ui`."""
        kind = self.api.kind.lower()
        return f"{kind}.{self.api.group}/{self.name}" if self.api.group else f"{kind}/{self.name}"


def resources_of(status: Fields) -> list[ResourceKey]:
    """The resources that an Application's *status* lists, but for kinds that nobody here knows."""
    listed = status.get("resources")
    found: list[ResourceKey] = []
    for resource in listed if isinstance(listed, list) else []:
        group, version = text_at(resource, "group"), text_at(resource, "version")
        api = find_api(f"{group}/{version}" if group else version, text_at(resource, "kind"))
        if api is not None:
            found.append(ResourceKey(api, text_at(resource, "namespace"), text_at(resource, "name")))
    return found


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object that should be there."""

    key: ResourceKey
    fields: Fields


def manifests_of(documents: list[Fields], application: str, namespace: str) -> tuple[Manifest, ...]:
    """*documents* as objects of *application*: with its tracking annotation, in *namespace* where they name none.

    Raises `Unsupported` for kinds that the stand-in does not know and for documents without a name. Of documents
    about the same object the last one counts, as with Argo CD.
    """
    found: dict[ResourceKey, Manifest] = {}
    for document in _flat(documents):
        api_version, kind = text_at(document, "apiVersion"), text_at(document, "kind")
        api, name = find_api(api_version, kind), text_at(document, "metadata", "name")
        if api is None:
            what = f"{kind or 'a document without kind'} ({api_version or 'no apiVersion'})"
            raise Unsupported(f"{what} in {application}: the demo's stand-in for Argo CD does not know this kind")
        if not name:
            raise Unsupported(f"{kind} in {application}: metadata.name is missing")
        key = ResourceKey(
            api, (text_at(document, "metadata", "namespace") or namespace) if api.namespaced else "", name
        )
        found[key] = Manifest(key, _tracked(_plain(document), key, application))
    return tuple(found.values())


def tracking_id(application: str, key: ResourceKey) -> str:
    """Argo CD's mark: `<application>:<group>/<kind>:<namespace>/<name>`."""
    return f"{application}:{key.api.group}/{key.api.kind}:{key.namespace}/{key.name}"


def owner_of(obj: Object) -> str:
    """The application whose tracking mark *obj* carries, empty if none."""
    return obj.annotations.get(ANNOTATION_TRACKING_ID, "").partition(":")[0]


def new_from(manifest: Manifest) -> Object:
    """The object to create for *manifest*, with what was applied noted as kubectl notes it."""
    metadata = {**fields_at(manifest.fields, "metadata")}
    annotations = {**fields_at(metadata, "annotations"), ANNOTATION_LAST_APPLIED: encode(manifest.fields).decode()}
    typed = decode(encode({**metadata, "annotations": annotations}), Metadata, f"{manifest.key.path}: metadata")
    rest = {name: encode(value) for name, value in manifest.fields.items() if name != "metadata"}
    return Object(typed, rest)


def _flat(documents: list[Fields]) -> list[Fields]:
    """Documents of kind List opened up."""
    flat: list[Fields] = []
    for document in documents:
        items = document.get("items")
        if text_at(document, "kind").endswith("List") and isinstance(items, list):
            flat.extend(item for item in items if isinstance(item, dict))
        else:
            flat.append(document)
    return flat


def _plain(document: Fields) -> Fields:
    """Without what a repository has no say in, and Secrets' `stringData` where an API server would put it."""
    fields = {name: value for name, value in fields_at(without_nulls(document)).items() if name != "status"}
    if text_at(document, "kind") == "Secret" and "stringData" in fields:
        given = {name: _base64(value) for name, value in fields_at(fields.pop("stringData")).items()}
        fields["data"] = {**fields_at(fields, "data"), **given}
    return fields


def _base64(value: Json) -> str:
    return base64.b64encode(str(value).encode()).decode()


def _tracked(fields: Fields, key: ResourceKey, application: str) -> Fields:
    metadata = fields_at(fields, "metadata")
    annotations: Fields = {**fields_at(metadata, "annotations"), ANNOTATION_TRACKING_ID: tracking_id(application, key)}
    placed: Fields = {"namespace": key.namespace} if key.namespace else {}
    return {**fields, "metadata": {**metadata, **placed, "annotations": annotations}}
