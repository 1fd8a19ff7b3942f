"""Results in three formats."""

import pytest

from argocd_agent.cli.commands.agents import check_name, parse_labels, server_address
from argocd_agent.cli.output import rendered
from argocd_agent.errors import ConfigError

RECORD = {"name": "one", "keyLength": 4096, "dns": ["a", "b"], "inner": {"x": ""}}


def test_json_is_indented_by_one_space_and_ends_its_line() -> None:
    assert rendered({"a": {"b": 1}}, "json") == '{\n "a": {\n  "b": 1\n }\n}\n'


def test_yaml_keeps_the_order() -> None:
    assert rendered(RECORD, "yaml") == "name: one\nkeyLength: 4096\ndns:\n- a\n- b\ninner:\n  x: ''\n"


def test_text_is_aligned_labels() -> None:
    assert rendered(RECORD, "text") == "Name:      one\nKeyLength: 4096\nDns:       a, b\nInner:\n  X:\n"


def test_labels_of_several_flags_add_up() -> None:
    assert parse_labels(["a=1,b=2", "c="]) == {"a": "1", "b": "2", "c": ""}


@pytest.mark.parametrize("name", ["", "A", "a.b", "-a", "a-", "a" * 64, "a_b"])
def test_a_name_that_could_never_log_in_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be an agent's name"):
        check_name(name)


@pytest.mark.parametrize("text", ["argocd-agent-resource-proxy:9090", "10.0.0.1:443", "[::1]:9090"])
def test_addresses_of_the_resource_proxy_stay_as_they_are(text: str) -> None:
    assert server_address(text) == text


@pytest.mark.parametrize("text", ["", "host", ":9090", "host:99999", "https://host:1"])
def test_a_broken_address_names_the_flag(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--resource-proxy-server: "):
        server_address(text)
