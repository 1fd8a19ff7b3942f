"""The API server without a network: every verb, decided and carried out in one breath. No I/O, no coroutine.

Time and identities come in as functions. Each method either changes the store and returns, or raises a `ClusterError`
and has changed nothing. What follows from a deletion (dependants, contents of a namespace, objects of a removed kind)
is done before the method returns; see `collector.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from argocd_agent.backends.embedded import faults, objects
from argocd_agent.backends.embedded.collector import Collector
from argocd_agent.backends.embedded.faults import Cause
from argocd_agent.backends.embedded.kinds import Kinds, ServedKind, from_definition
from argocd_agent.backends.embedded.objects import Birth
from argocd_agent.backends.embedded.patching import object_of, patched
from argocd_agent.backends.embedded.rules import NO_RULES, RULES
from argocd_agent.backends.embedded.schema import Report
from argocd_agent.backends.embedded.store import Ref, Store
from argocd_agent.backends.embedded.values import Json
from argocd_agent.backends.ports import PatchType, Propagation
from argocd_agent.errors import DecodeError
from argocd_agent.resources.kinds import CRDS, NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, Object, new_object

PROTECTED_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})
FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class Validation(StrEnum):
    """What becomes of fields that the schema does not know; they are dropped in any case but the first."""

    STRICT = "Strict"  # the request is refused
    WARN = "Warn"
    IGNORE = "Ignore"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write. `unknown` are fields that the caller met and could not keep."""

    subresource: str = ""
    dry_run: bool = False
    validation: Validation = Validation.IGNORE
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What must be true of an object that is to be deleted; empty: anything."""

    uid: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The object as stored, or as it would have been. `is_gone`: a deletion or last finalizer removed it."""

    object: Object
    warnings: tuple[str, ...] = ()
    is_created: bool = False
    is_gone: bool = False


PLAIN = WriteOptions()
ANYTHING = Preconditions()


class Engine:
    """One cluster's objects and rules."""

    def __init__(self, store: Store, *, now: Callable[[], str], new_uid: Callable[[], str]) -> None:
        self.store, self.kinds = store, Kinds()
        self._now, self._new_uid = now, new_uid
        self._collector = Collector(store, self.kinds, now)
        for kind in self.kinds:
            store.open(kind.resource)

    def begin(self) -> None:
        """Serve what stored CustomResourceDefinitions declare, and make the namespaces that every cluster has."""
        for crd in list(self.store.buckets[CRDS.resource].objects.values()):
            self._serve(crd)
        namespaces = self.kind(NAMESPACES)
        for name in FIRST_NAMESPACES:
            if self.store.get(Ref(NAMESPACES.resource, ("", name))) is None:
                self.create(namespaces, new_object(NAMESPACES, Metadata(name=name)))

    def kind(self, api: Api) -> ServedKind:
        """The served kind of *api*. Raises `NotFound`."""
        kind = self.kinds.find(api.group, api.version, api.plural)
        if kind is None:
            raise faults.no_such_kind(api)
        return kind

    def get(self, kind: ServedKind, namespace: str, name: str) -> Object:
        """The object. Raises `NotFound`."""
        return self._held(kind, namespace, name)

    def create(self, kind: ServedKind, obj: Object, options: WriteOptions = PLAIN) -> Outcome:
        """Store a new object. Raises `AlreadyExists`, `Invalid`, `Forbidden`, `BadRequest`, `NotFound` (namespace)."""
        _check_type(kind, obj)
        self._check_namespace(kind, obj)
        rules = RULES.get(kind.resource, NO_RULES)
        fresh = objects.born(rules.prepare(obj), Birth(self._now(), self._new_uid()))
        if obj.version:
            raise faults.bad_request("resourceVersion should not be set on objects to be created")
        if kind.row.has_status:
            fresh = fresh.with_fields({"status": None})
        if fresh.name and self.store.get(Ref(kind.resource, fresh.key)) is not None:
            raise faults.already_exists(kind.api, fresh.name)
        checked, warnings = self._checked(kind, fresh, None, options)
        if options.dry_run:
            return Outcome(checked, warnings, is_created=True)
        stored = self.store.put(kind.resource, checked)
        self._written(kind, stored)
        self._collector.adopted(Ref(kind.resource, stored.key))
        return Outcome(stored, warnings, is_created=True)

    def update(self, kind: ServedKind, obj: Object, options: WriteOptions = PLAIN) -> Outcome:
        """Replace an object. Raises `NotFound`, `Conflict`, `Invalid`, `BadRequest`."""
        _check_type(kind, obj)
        held = self._held(kind, obj.namespace, obj.name)
        if not obj.version and not kind.row.is_typed:
            cause = faults.wrong("metadata.resourceVersion", "0", "must be specified for an update")
            raise faults.invalid(kind.api, obj.name, [cause])
        return self._replace(kind, obj, held, options)

    def patch(
        self,
        kind: ServedKind,
        namespace: str,
        name: str,
        patch: Json,
        patch_type: PatchType,
        options: WriteOptions = PLAIN,
    ) -> Outcome:
        """Change an object; server-side apply may make one. Raises `NotFound`, `Conflict`, `Invalid`, `BadRequest`."""
        ref = Ref(kind.resource, (namespace, name))
        if patch_type is PatchType.STRATEGIC and not kind.row.is_typed:
            raise faults.bad_request(
                "the body of the request was in an unknown format - accepted media types include:"
                " application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                code=415,
                reason="UnsupportedMediaType",
            )
        held = self.store.get(ref)
        if held is None:
            if patch_type is PatchType.APPLY and not options.subresource:
                return self._apply_new(kind, namespace, name, patch, options)
            raise faults.not_found(kind.api, name)
        changed, unknown = patched(kind, _presented(kind, held), patch, patch_type)
        _check_type(kind, changed)
        _check_place(changed, namespace, name)
        if unknown:
            options = replace(options, unknown=(*options.unknown, *unknown))
        return self._replace(kind, changed, held, options)

    def delete(
        self,
        kind: ServedKind,
        namespace: str,
        name: str,
        preconditions: Preconditions = ANYTHING,
        propagation: Propagation = Propagation.BACKGROUND,
        *,
        dry_run: bool = False,
    ) -> Outcome:
        """Remove an object, or mark it where finalizers remain. Raises `NotFound`, `Conflict`, `Forbidden`."""
        held = self._held(kind, namespace, name)
        _check_preconditions(kind, held, preconditions)
        if kind.api == NAMESPACES and name in PROTECTED_NAMESPACES:
            raise faults.forbidden(kind.api, name, "this namespace may not be deleted")
        if dry_run:
            return Outcome(held, is_gone=not held.metadata.finalizers)
        last = self._collector.delete(Ref(kind.resource, held.key), propagation)
        return Outcome(last, is_gone=self.store.get(Ref(kind.resource, held.key)) is None)

    def _held(self, kind: ServedKind, namespace: str, name: str) -> Object:
        held = self.store.get(Ref(kind.resource, (namespace, name)))
        if held is None:
            raise faults.not_found(kind.api, name)
        return _presented(kind, held)

    def _apply_new(self, kind: ServedKind, namespace: str, name: str, patch: Json, options: WriteOptions) -> Outcome:
        if not isinstance(patch, dict):
            raise faults.bad_request(f"error decoding patch: expected an object, found {type(patch).__name__}")
        try:
            obj, unknown = object_of(patch)
        except DecodeError as error:
            raise faults.bad_request(str(error)) from error
        obj = obj.with_metadata(name=obj.name or name, namespace=obj.namespace or namespace)
        _check_place(obj, namespace, name)
        return self.create(
            kind, obj, WriteOptions("", options.dry_run, options.validation, (*options.unknown, *unknown))
        )

    def _replace(self, kind: ServedKind, obj: Object, held: Object, options: WriteOptions) -> Outcome:
        """Put *obj* in the place of *held*, if it may be, and if anything is different."""
        if obj.version and obj.version != held.version:
            raise faults.conflict(kind.api, held.name)
        if obj.uid and obj.uid != held.uid:
            why = f"Precondition failed: UID in precondition: {obj.uid}, UID in object meta: {held.uid}"
            raise faults.conflict(kind.api, held.name, why)
        causes = objects.check_deletion(obj, held)
        if causes:
            raise faults.invalid(kind.api, held.name, causes)
        rules = RULES.get(kind.resource, NO_RULES)
        wanted = objects.carried(rules.prepare(_with_status(kind, obj, held, options.subresource)), held)
        checked, warnings = self._checked(kind, wanted, held, options)
        if checked == held:
            return Outcome(held, warnings)
        if options.dry_run:
            return Outcome(checked, warnings)
        if checked.is_deleting and not checked.metadata.finalizers and self._collector.may_go(kind.resource, checked):
            self._collector.remove(Ref(kind.resource, held.key), checked)
            return Outcome(checked, warnings, is_gone=True)
        stored = self.store.put(kind.resource, checked)
        self._written(kind, stored)
        return Outcome(stored, warnings)

    def _checked(
        self, kind: ServedKind, obj: Object, held: Object | None, options: WriteOptions
    ) -> tuple[Object, tuple[str, ...]]:
        """*obj* as it can be stored, and warnings."""
        rules, report = RULES.get(kind.resource, NO_RULES), Report()
        causes = objects.check_metadata(kind, obj, held)
        known = objects.known_fields(kind, obj, held, report)
        if report.mistyped and kind.row.is_typed:
            raise _unreadable(kind, f"json: {report.mistyped[0]}")
        report.unknown[:0] = options.unknown
        warnings = _warnings(kind, known.name, report, options.validation, is_patch=held is not None)
        causes += report.causes
        if not causes:
            known = rules.complete(known, held, self._now())
            causes = rules.check(known, held)
        if causes:
            raise faults.invalid(kind.api, obj.name, causes)
        if objects.size_of(known) > objects.OBJECT_LIMIT_BYTES:
            raise faults.too_large(objects.OBJECT_LIMIT_BYTES)
        return objects.with_generation(kind, known, held), warnings

    def _check_namespace(self, kind: ServedKind, obj: Object) -> None:
        if not kind.api.namespaced:
            if obj.namespace:
                raise faults.bad_request(f"{kind.api.kind} is not namespaced, found namespace {obj.namespace!r}")
            return
        if not obj.namespace:
            raise faults.bad_request("an empty namespace may not be set during creation")
        namespace = self.store.get(Ref(NAMESPACES.resource, ("", obj.namespace)))
        if namespace is None:
            raise faults.not_found(NAMESPACES, obj.namespace)
        if namespace.is_deleting:
            why = f"unable to create new content in namespace {obj.namespace} because it is being terminated"
            cause = Cause(
                "metadata.namespace", "NamespaceTerminating", f"namespace {obj.namespace} is being terminated"
            )
            raise faults.forbidden(kind.api, obj.name, why, cause)

    def _written(self, kind: ServedKind, stored: Object) -> None:
        if kind.api == CRDS:
            self._serve(stored)

    def _serve(self, crd: Object) -> None:
        declared = from_definition(crd.look("spec"))
        for one in declared[:1]:
            self.kinds.remove(one.api.group, one.api.plural)
        for one in declared:
            self.kinds.add(one)
            self.store.open(one.resource)


def _presented(kind: ServedKind, obj: Object) -> Object:
    """*obj* under the version of its kind that was asked for."""
    if obj.fields.get("apiVersion") == kind.type_fields["apiVersion"]:
        return obj
    return obj.with_fields(kind.type_fields)


def _with_status(kind: ServedKind, obj: Object, held: Object, subresource: str) -> Object:
    """What of *obj* this write is about: all but the status, only the status, or everything."""
    if subresource == "status":
        return Object(held.metadata, held.with_fields({"status": obj.fields.get("status")}).fields)
    if kind.row.has_status:
        return obj.with_fields({"status": held.fields.get("status")})
    return obj


def _check_type(kind: ServedKind, obj: Object) -> None:
    for name, expected in kind.type_fields.items():
        given = obj.fields.get(name)
        if given is not None and given != expected and given.strip() != expected:
            told = f"{name}: {given.decode(errors='replace')} does not match the expected {expected.decode()}"
            raise faults.bad_request(f"the API version and kind in the data do not match those of the request: {told}")


def _check_place(obj: Object, namespace: str, name: str) -> None:
    if obj.name != name:
        raise faults.bad_request(f"the name of the object ({obj.name}) does not match the name on the URL ({name})")
    if obj.namespace != namespace:
        raise faults.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _check_preconditions(kind: ServedKind, held: Object, wanted: Preconditions) -> None:
    if wanted.uid and wanted.uid != held.uid:
        why = (
            f"the UID in the precondition ({wanted.uid}) does not match the UID in record ({held.uid})."
            " The object might have been deleted and then recreated"
        )
        raise faults.conflict(kind.api, held.name, why)
    if wanted.version and wanted.version != held.version:
        why = (
            f"the ResourceVersion in the precondition ({wanted.version}) does not match the ResourceVersion in record"
            f" ({held.version}). The object might have been modified"
        )
        raise faults.conflict(kind.api, held.name, why)


def _unreadable(kind: ServedKind, why: str) -> faults.Misunderstood:
    api = kind.api
    return faults.bad_request(f'{api.kind} in version "{api.version}" cannot be handled as a {api.kind}: {why}')


def _warnings(
    kind: ServedKind, name: str, report: Report, validation: Validation, *, is_patch: bool
) -> tuple[str, ...]:
    """Words about unknown fields, or the refusal because of them."""
    told = tuple(f'unknown field "{field}"' for field in dict.fromkeys(report.unknown))
    if told and validation is Validation.STRICT:
        why = f"strict decoding error: {', '.join(told)}"
        if is_patch:
            raise faults.invalid(kind.api, name, [faults.wrong("patch", '"…"', why)])
        raise _unreadable(kind, why)
    return told if validation is Validation.WARN else ()
