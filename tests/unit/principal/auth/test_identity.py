"""Patterns written for Go, and what an agent may be called."""

import pytest

from argocd_agent.errors import AuthenticationFailed, ConfigError
from argocd_agent.principal.auth.identity import Pattern, agent_name


@pytest.mark.feature("P-8", "P-9")
@pytest.mark.parametrize(
    ("pattern", "text", "name"),
    [
        ("CN=([^,]+)", "SERIALNUMBER=1,CN=agent-1,O=x", "agent-1"),
        ("CN=([^,]+)", "O=x", ""),
        (r"^CN=(\w+)$", "CN=agent", "agent"),
        (r"^CN=(\w+)$", "CN=agent\n", ""),  # Go's $ is the very end
        (r"^CN=(\w+)\z", "CN=agent", "agent"),
        (r"CN=(\w+)", "CN=agént", "ag"),  # \w is ASCII in Go
        (r"CN=([]a-z$]+)", "CN=a]$", "a]$"),
        (r"CN=([a\]$]+)x", "CN=a]$x", "a]$"),
        (r"(?i)cn=([a-z]+)", "CN=Agent", "Agent"),
        (r"(?P<name>a+)", "xaa", "aa"),
        ("(?:x)(y)?", "x", ""),
        (r"spiffe://[^/]+/ns/[^/]+/sa/(.+)", "spiffe://t/ns/argocd/sa/agent-1", "agent-1"),
    ],
)
def test_group_one_of_the_first_match_is_the_name(pattern: str, text: str, name: str) -> None:
    assert Pattern(pattern, "auth").name_in(text) == name


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("CN=.*", "needs a group in parentheses"),
        ("CN=(", "is not a regular expression"),
        (r"CN=(\pL+)", "Unicode classes"),
        ("CN=([[:alpha:]]+)", "named classes"),
        ("CN=(?=a)(.)", "look-ahead"),
        ("(?<=a)(.)", "look-behind"),
        ("(?<name>a)", r"write named groups as \(\?P<name>"),
        (r"(a)\1", "back-references"),
        (r"(?U)(a+)", "ungreedy"),
        (r"(a)\Z", r"write \\z"),
        (r"\Q(\E(a)", "quoted text"),
    ],
)
def test_a_pattern_that_would_mean_something_else_here_is_refused(pattern: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Pattern(pattern, "auth")


@pytest.mark.parametrize("text", ["a", "agent-1", "0", "a" * 63])
def test_a_dns_label_is_an_agents_name(text: str) -> None:
    assert agent_name(text, "x") == text


@pytest.mark.feature("P-8")
@pytest.mark.parametrize("text", ["", "A", "-a", "a-", "a.b", "a" * 64, "a\n", "ä", "a/b"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AuthenticationFailed, match="x: expected an agent name"):
        agent_name(text, "x")
