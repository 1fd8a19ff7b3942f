"""What a request to a resource is, as RBAC names it, and whether the kind knows it. Pure."""

from argocd_agent.backends.embedded import faults
from argocd_agent.backends.embedded.face.routes import ListOptions, Target
from argocd_agent.backends.embedded.kinds import ServedKind

METHODS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def fits(kind: ServedKind, target: Target) -> bool:
    """Whether the path names a namespace just where the kind has one; all of a kind can be listed without."""
    if kind.api.namespaced:
        return target.namespace is not None or not target.name
    return target.namespace is None


def has_subresource(kind: ServedKind, name: str) -> bool:
    """Whether objects of *kind* have subresource *name*; the empty one is the object."""
    match name:
        case "":
            return True
        case "status":
            return kind.row.has_status
        case "scale":
            return kind.row.has_scale
    return False


def verb_of(method: str, target: Target, options: ListOptions) -> str:
    """The verb as RBAC names it. Raises `BadRequest` (405)."""
    verb = METHODS.get(method, "")
    if options.is_watch and verb == "get":
        return "watch"
    if not target.name:
        verb = {"get": "list", "create": "create", "delete": "deletecollection"}.get(verb, "")
    elif verb == "create" or (target.subresource and verb == "delete"):
        verb = ""
    if not verb:
        told = "the server does not allow this method on the requested resource"
        raise faults.bad_request(told, code=405, reason="MethodNotAllowed")
    return verb
