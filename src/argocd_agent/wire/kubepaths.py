"""Kubernetes API paths ↔ what they name: the table of docs/protocol, 9.1. Pure.

    /api                                        discovery; so is /apis
    /api/VERSION, /apis/GROUP/VERSION           discovery of one version; one slash may follow
    …/RESOURCE[/NAME[/SUBRESOURCE]]
    …/namespaces/NAMESPACE/RESOURCE[/NAME[/SUBRESOURCE]]

A version starts with `v`. `namespaces/NAME` alone, and its `status` and `finalize`, are about the namespace itself.
Nothing else is routed. Each part is decoded once; one that is empty, `.` or `..`, or that holds a slash, a backslash,
a percent sign or a control character when decoded, is refused: no path leads anywhere else than it says.
"""

from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from argocd_agent.errors import DecodeError

LONGEST_BYTES = 4096
_OF_NAMESPACES = frozenset({"status", "finalize"})
_HEX = frozenset("0123456789abcdefABCDEF")
_SEPARATORS = frozenset("/\\%")
_UNQUOTED = ":@!$&'()*+,;=~"
GRAMMAR = (
    "expected /api, /apis, /api/VERSION or /apis/GROUP/VERSION, then [namespaces/NAME/]RESOURCE[/NAME[/SUBRESOURCE]]"
)


@dataclass(frozen=True, slots=True)
class KubePath:
    """What a path names; what it does not name is empty. `is_core`: below /api, whose group has no name."""

    is_core: bool = True
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def is_discovery(self) -> bool:
        """Whether it is about what the API serves, not about objects."""
        return not self.resource

    def __str__(self) -> str:
        return path_of(self)


def parse_path(path: str) -> KubePath:
    """What *path*, percent-encoded and without query, names. Raises `DecodeError`, with the rule, for any other."""
    if len(path) > LONGEST_BYTES:
        raise DecodeError(f"path: expected at most {LONGEST_BYTES} bytes, found {len(path)}")
    if not path.startswith("/"):
        raise DecodeError(f"path {path!r}: {GRAMMAR}")
    raw = path[1:].split("/")
    versions = 2 if raw[0] == "api" else 3
    if len(raw) == versions + 1 and raw[-1] == "":  # the one place where a slash may follow
        raw.pop()
    parts = [_decoded(part, path) for part in raw]
    match parts:
        case ["api" | "apis" as root]:
            return KubePath(is_core=root == "api")
        case ["api", version, *rest] if version.startswith("v"):
            return _placed(KubePath(version=version), rest, path)
        case ["apis", group, version, *rest] if version.startswith("v"):
            return _placed(KubePath(is_core=False, group=group, version=version), rest, path)
    raise DecodeError(f"path {path!r}: {GRAMMAR}; a version starts with v")


def path_of(what: KubePath) -> str:
    """The path that names *what*, and nothing else. Raises `DecodeError` where there is none."""
    problem = _problem(what)
    if problem:
        raise DecodeError(f"{what!r}: {problem}")
    parts = ["api"] if what.is_core else ["apis"]
    parts += [part for part in (what.group, what.version) if part]
    parts += ["namespaces", what.namespace] if what.namespace else []
    parts += [part for part in (what.resource, what.name, what.subresource) if part]
    path = "/" + "/".join([quote(part, safe=_UNQUOTED) for part in parts])
    for part in parts:
        check_part(part, path)
    if len(path) > LONGEST_BYTES:
        raise DecodeError(f"path: expected at most {LONGEST_BYTES} bytes, found {len(path)}")
    return path


def _problem(what: KubePath) -> str:
    """Why no path names *what* alone; empty if one does."""
    if what.version and not what.version.startswith("v"):
        return "expected a version that starts with v"
    if bool(what.group) is not (not what.is_core and bool(what.version)):
        return "expected a group just where there is a version below /apis"
    if what.resource and not what.version:
        return "expected a version before a resource"
    if (what.namespace or what.name or what.subresource) and not what.resource:
        return "expected a resource"
    if what.subresource and not what.name:
        return "expected a name before a subresource"
    if what.resource == "namespaces" and not what.namespace and what.subresource not in ("", *_OF_NAMESPACES):
        return "expected status or finalize, the subresources of a namespace"
    if what.namespace and not what.name and what.resource in _OF_NAMESPACES:
        return "expected another resource: that is a subresource of the namespace"
    return ""


def check_part(part: str, path: str) -> None:
    """Nothing, or `DecodeError` when *part*, decoded, may not be one part of *path*."""
    if not part or part in (".", ".."):
        raise DecodeError(f"path {path!r}: expected a name between slashes, found {part!r}")
    if part.isprintable() and _SEPARATORS.isdisjoint(part):
        return
    found = next(char for char in part if char in _SEPARATORS or not char.isprintable())
    raise DecodeError(f"path {path!r}: expected names without {found!r}, encoded or not, found {part!r}")


def _placed(version: KubePath, rest: list[str], path: str) -> KubePath:
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and not (len(rest) == 3 and rest[2] in _OF_NAMESPACES):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        raise DecodeError(f"path {path!r}: {GRAMMAR}; nothing comes after a subresource")
    resource, name, subresource = (*rest, "", "", "")[:3]
    return KubePath(version.is_core, version.group, version.version, namespace, resource, name, subresource)


def _decoded(part: str, path: str) -> str:
    pieces = part.split("%")
    if not part.isascii() or any(len(piece) < 2 or not _HEX.issuperset(piece[:2]) for piece in pieces[1:]):
        raise DecodeError(f"path {path!r}: expected ASCII with two hexadecimal digits after each %, found {part!r}")
    try:
        text = unquote_to_bytes(part).decode() if len(pieces) > 1 else part
    except UnicodeDecodeError as error:
        raise DecodeError(f"path {path!r}: expected UTF-8, found {part!r}") from error
    check_part(text, path)
    return text
