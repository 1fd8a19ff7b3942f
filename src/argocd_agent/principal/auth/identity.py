"""Texts → agent names: Go's regular expressions, and what a name may look like.

Users bring patterns that were written for Go's RE2. They are searched for anywhere, and group 1 is the name. Python's
syntax is nearly the same; the few differences are translated, or refused with a sentence, never misread in silence.
"""

import re

from argocd_agent.errors import AuthenticationFailed, ConfigError
from argocd_agent.protocol.events import AgentName

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # DNS-1123 (RFC 1123, 2.1, lower case)

_FOREIGN_ESCAPES = {
    "p": "Unicode classes (\\p)",
    "P": "Unicode classes (\\P)",
    "C": "single bytes (\\C)",
    "Q": "quoted text (\\Q…\\E)",
}
_UNKNOWN_TO_GO = {"?=": "look-ahead", "?!": "look-ahead", "?<=": "look-behind", "?<!": "look-behind"}


class Pattern:
    """A pattern with one group for the agent's name. Raises `ConfigError` for one that cannot work, naming *where*."""

    def __init__(self, text: str, where: str) -> None:
        try:
            self._compiled = re.compile(_translated(text, where), re.ASCII)
        except re.error as error:
            raise ConfigError(f"{where}: {text!r} is not a regular expression: {error}") from error
        if self._compiled.groups < 1:
            raise ConfigError(f"{where}: {text!r} needs a group in parentheses around the agent's name")

    def name_in(self, text: str) -> str:
        """Group 1 of the first match in *text*; empty when there is none."""
        found = self._compiled.search(text)
        return (found.group(1) or "") if found else ""


def is_label(text: str) -> bool:
    """Whether *text* is a DNS-1123 label, which every agent's name is: it names namespaces and Secrets, too."""
    return _LABEL.fullmatch(text) is not None


def agent_name(text: str, source: str) -> AgentName:
    """*text* as an agent's name. Raises `AuthenticationFailed`, saying what of *source* it was found in."""
    if not is_label(text):
        raise AuthenticationFailed(
            f"{source}: expected an agent name (lower-case letters, digits and '-', at most 63), found {text!r}"
        )
    return AgentName(text)


def _translated(text: str, where: str) -> str:
    """*text* in Python's syntax. Raises `ConfigError` for what only one of the two languages has."""
    out: list[str] = []
    at, first = 0, -1  # `first`: where the first member of the class stands that we are in
    while at < len(text):
        char, rest = text[at], text[at + 1 :]
        if char == "\\" and rest:
            out.append(_escape(rest[0], first >= 0, where))
            at += 2
            continue
        if first >= 0:
            if char == "[" and rest.startswith(":"):
                raise ConfigError(f"{where}: named classes such as [[:alpha:]] are not supported; write [a-zA-Z]")
            out.append("\\[" if char == "[" else char)
            if char == "]" and at > first:  # as the first member it stands for itself
                first = -1
        elif char == "[":
            first = at + (2 if rest.startswith("^") else 1)
            out.append(text[at:first])
            at = first - 1
        elif char == "$" and not text.startswith("(?m"):
            out.append(r"\Z")  # Go's $ is the very end; Python's lets a line break follow
        else:
            out.append(_group(rest, where) if char == "(" else char)
        at += 1
    return "".join(out)


def _escape(char: str, in_class: bool, where: str) -> str:
    if char in _FOREIGN_ESCAPES:
        raise ConfigError(f"{where}: {_FOREIGN_ESCAPES[char]} are not supported in patterns")
    if char.isdigit() and char != "0" and not in_class:
        raise ConfigError(f"{where}: back-references (\\{char}) are not supported in patterns")
    if char == "Z":
        raise ConfigError(f"{where}: \\Z is not known to Go's patterns; write \\z")
    return r"\Z" if char == "z" else f"\\{char}"


def _group(rest: str, where: str) -> str:
    for start, name in _UNKNOWN_TO_GO.items():
        if rest.startswith(start):
            raise ConfigError(f"{where}: {name} (({start}…)) is not supported in patterns")
    if rest.startswith("?<"):
        raise ConfigError(f"{where}: write named groups as (?P<name>…)")
    if re.match(r"\?[a-z-]*U", rest):
        raise ConfigError(f"{where}: the flag U (ungreedy) is not supported in patterns")
    return "("
