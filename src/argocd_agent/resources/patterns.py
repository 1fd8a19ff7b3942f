"""Name patterns as Argo CD reads them: globs, or regular expressions written between slashes.

A glob is anchored and knows `*`, `?`, `[abc]`, `[!abc]`, `[a-z]`, `{a,b}` and `\\` as escape; no character is a
separator. `/…/` is an unanchored search. Source: the wire contract, 6.2 and 6.4, and Argo CD's documentation of
`application.namespaces` (https://argo-cd.readthedocs.io/en/stable/operator-manual/app-any-namespace/).
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from argocd_agent.errors import ConfigError

Test = Callable[[str], bool]
_Step = Callable[[str, set[int]], set[int]]

# What re raises for a pattern: too large a repetition and too deep a nesting have errors of their own.
_NOT_A_PATTERN = (re.error, IndexError, OverflowError, RecursionError)


def matches_any(patterns: Sequence[str], name: str) -> bool:
    """Whether one of *patterns* matches *name*. No pattern matches nothing. Raises `ConfigError` for a bad one."""
    return any(compiled(pattern)(name) for pattern in patterns)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Test:
    """The test that *pattern* stands for. Raises `ConfigError` where it is not a pattern."""
    try:
        if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
            found = re.compile(pattern[1:-1]).search
            return lambda name: found(name) is not None
        return _anchored(pattern)
    except _NOT_A_PATTERN as error:
        raise ConfigError(f"{pattern!r} is neither a glob nor a /regular expression/: {error}") from error


@lru_cache(maxsize=1024)
def compiled_glob(pattern: str) -> Test:
    """As `compiled` where slashes mean nothing: for what knows globs alone."""
    try:
        return _anchored(pattern)
    except _NOT_A_PATTERN as error:
        raise ConfigError(f"{pattern!r} is not a glob: {error}") from error


def _anchored(pattern: str) -> Test:
    """The test that a glob stands for: all ways through it at once, so that no glob takes more than its length times
    the name's. As a regular expression, a row of stars would take for ever."""
    steps, _ = _steps(pattern, 0, 0)
    return lambda name: len(name) in _walk(steps, name, {0})


def _walk(steps: Sequence[_Step], name: str, places: set[int]) -> set[int]:
    """Where in *name* one can be after *steps*, from any of *places*."""
    for step in steps:
        places = step(name, places)
    return places


def _steps(pattern: str, position: int, depth: int) -> tuple[list[_Step], int]:
    """The steps of *pattern* from *position* to its end, or to what ends one of the choices in braces; and where."""
    steps: list[_Step] = []
    while position < len(pattern):
        char = pattern[position]
        if depth and char in ",}":
            return steps, position
        if char == "[":
            step, position = _class(pattern, position)
        elif char == "{":
            step, position = _choice(pattern, position, depth)
        elif char == "*":
            step = _any_number
        elif char == "?":
            step = _one(lambda _: True)
        else:
            position += char == "\\"
            step = _one(pattern[position].__eq__)
        steps.append(step)
        position += 1
    if depth:
        raise re.error("'{' without '}'")
    return steps, position


def _class(pattern: str, position: int) -> tuple[_Step, int]:
    end = pattern.find("]", position + 2)
    if end < 0:
        raise re.error(f"'[' without ']' at {position}")
    inside = pattern[position + 1 : end]
    without = inside.startswith("!")
    ranges = _ranges(inside[1:] if without else inside, position)
    return _one(lambda char: any(low <= char <= high for low, high in ranges) is not without), end


def _ranges(inside: str, position: int) -> list[tuple[str, str]]:
    """First and last of each range in a class; a character alone is both. A `-` at an end is a character."""
    ranges: list[tuple[str, str]] = []
    while inside:
        length = 3 if inside[1:2] == "-" and len(inside) > 2 else 1
        low, high = inside[0], inside[length - 1]
        if low > high:
            raise re.error(f"{low}-{high} at {position} is no range")
        ranges.append((low, high))
        inside = inside[length:]
    if not ranges:
        raise re.error(f"'[!' without characters at {position}")
    return ranges


def _choice(pattern: str, position: int, depth: int) -> tuple[_Step, int]:
    choices: list[list[_Step]] = []
    while not choices or pattern[position] == ",":
        steps, position = _steps(pattern, position + 1, depth + 1)
        choices.append(steps)
    return lambda name, places: set().union(*(_walk(steps, name, places) for steps in choices)), position


def _any_number(name: str, places: set[int]) -> set[int]:
    return set(range(min(places), len(name) + 1)) if places else places


def _one(fits: Test) -> _Step:
    return lambda name, places: {place + 1 for place in places if place < len(name) and fits(name[place])}
