"""Name patterns as Argo CD reads them: globs, or regular expressions written between slashes.

A glob is anchored and knows `*`, `?`, `[abc]`, `[!abc]`, `[a-z]`, `{a,b}` and `\\` as escape; no character is a
separator. `/…/` is an unanchored search. Source: the wire contract, 6.2 and 6.4, and Argo CD's documentation of
`application.namespaces` (https://argo-cd.readthedocs.io/en/stable/operator-manual/app-any-namespace/).
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from argocd_agent.errors import ConfigError

# What re raises for a pattern: too large a repetition and too deep a nesting have errors of their own.
_NOT_A_PATTERN = (re.error, IndexError, OverflowError, RecursionError)


def matches_any(patterns: Sequence[str], name: str) -> bool:
    """Whether one of *patterns* matches *name*. No pattern matches nothing. Raises `ConfigError` for a bad one."""
    return any(compiled(pattern)(name) is not None for pattern in patterns)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """The test that *pattern* stands for. Raises `ConfigError` where it is not a pattern."""
    try:
        if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
            return re.compile(pattern[1:-1]).search
        return _anchored(pattern)
    except _NOT_A_PATTERN as error:
        raise ConfigError(f"{pattern!r} is neither a glob nor a /regular expression/: {error}") from error


@lru_cache(maxsize=1024)
def compiled_glob(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """As `compiled` where slashes mean nothing: for what knows globs alone."""
    try:
        return _anchored(pattern)
    except _NOT_A_PATTERN as error:
        raise ConfigError(f"{pattern!r} is not a glob: {error}") from error


def _anchored(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(_glob(pattern), re.DOTALL).fullmatch


def _glob(pattern: str) -> str:
    out: list[str] = []
    depth, position = 0, 0
    while position < len(pattern):
        char = pattern[position]
        if char == "[":
            end = pattern.index("]", position + 2) if "]" in pattern[position + 2 :] else -1
            if end < 0:
                raise re.error(f"'[' without ']' at {position}")
            inside = pattern[position + 1 : end].replace("\\", "\\\\")
            out.append(f"[{'^' + inside[1:] if inside.startswith('!') else inside}]")
            position = end
        elif char == "{":
            depth += 1
            out.append("(?:")
        elif char == "}" and depth:
            depth -= 1
            out.append(")")
        elif char == "\\":
            position += 1
            out.append(re.escape(pattern[position]))
        else:
            out.append({"*": ".*", "?": ".", ",": "|" if depth else ","}.get(char) or re.escape(char))
        position += 1
    if depth:
        raise re.error("'{' without '}'")
    return "".join(out)
