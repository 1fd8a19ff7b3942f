"""What the API server says when it refuses: our error classes, with the details that a `Status` document carries.

The words are those of kube-apiserver 1.36, so that people, kubectl and other clients see what they know.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from argocd_agent import errors
from argocd_agent.resources.kinds import Api


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing wrong with an object. `field` is its path, `reason` a word of Kubernetes' (FieldValueInvalid …)."""

    field: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Details:
    """`details` of a Status: which object, and why."""

    name: str = ""
    group: str = ""
    kind: str = ""
    causes: tuple[Cause, ...] = ()


class Detailed:
    """Mixed into the errors below."""

    details = Details()
    code = 500


class Missing(Detailed, errors.NotFound):
    """404: no such object or kind."""

    code = 404


class Taken(Detailed, errors.AlreadyExists):
    """409: the name is taken."""

    code = 409


class Stale(Detailed, errors.Conflict):
    """409: not the object that the write was decided on."""

    code = 409


class Rejected(Detailed, errors.Invalid):
    """422: the object breaks rules."""

    code = 422


class Prohibited(Detailed, errors.Forbidden):
    """403: nobody, or not this user."""

    code = 403


class Misunderstood(Detailed, errors.BadRequest):
    """400, 405, 406, 413, 415: the request makes no sense."""

    code = 400


def not_found(api: Api, name: str) -> Missing:
    """There is no such object."""
    error = Missing(f'{api.resource} "{name}" not found', reason="NotFound")
    error.details = Details(name, api.group, api.plural)
    return error


def no_such_kind(api: Api) -> Missing:
    """This cluster does not serve the kind at all."""
    return Missing(f"{api.resource}: the server could not find the requested resource", reason="NotFound")


def already_exists(api: Api, name: str) -> Taken:
    """The name is taken."""
    error = Taken(f'{api.resource} "{name}" already exists', reason="AlreadyExists")
    error.details = Details(name, api.group, api.plural)
    return error


def conflict(api: Api, name: str, why: str = "") -> Stale:
    """The object is not the one that the write was decided on."""
    why = why or ("the object has been modified; please apply your changes to the latest version and try again")
    error = Stale(f'Operation cannot be fulfilled on {api.resource} "{name}": {why}', reason="Conflict")
    error.details = Details(name, api.group, api.plural)
    return error


def invalid(api: Api, name: str, causes: Sequence[Cause]) -> Rejected:
    """The object breaks rules; *causes* says which."""
    kind = f"{api.kind}.{api.group}" if api.group else api.kind
    parts = [f"{cause.field}: {cause.message}" for cause in causes]
    told = parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
    error = Rejected(f'{kind} "{name}" is invalid: {told}', reason="Invalid")
    error.details = Details(name, api.group, api.kind, tuple(causes))
    return error


def rejected_patch() -> Rejected:
    """A JSON patch whose operations cannot be carried out on the object."""
    return Rejected("the server rejected our request due to an error in our request", reason="Invalid")


def forbidden(api: Api, name: str, why: str, cause: Cause | None = None) -> Prohibited:
    """Nobody may do this, or this user may not."""
    error = Prohibited(f'{api.resource} "{name}" is forbidden: {why}', reason="Forbidden")
    error.details = Details(name, api.group, api.plural, () if cause is None else (cause,))
    return error


def bad_request(message: str, *, code: int = 400, reason: str = "BadRequest") -> Misunderstood:
    """The request makes no sense as it stands."""
    error = Misunderstood(message, reason=reason)
    error.code = code
    return error


def too_large(limit_bytes: int) -> Misunderstood:
    """The object, or the request's body, is bigger than *limit_bytes*."""
    return bad_request(f"Request entity too large: limit is {limit_bytes}", code=413, reason="RequestEntityTooLarge")


def expired(message: str) -> errors.Gone:
    """A version or a continue token that is no longer known."""
    return errors.Gone(message, reason="Expired")


def required(field: str, why: str = "") -> Cause:
    """A field that must be there is not."""
    return Cause(field, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def wrong(field: str, value: str, why: str) -> Cause:
    """A field has a value that it may not have; *value* is shown as it is."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {value}: {why}")
