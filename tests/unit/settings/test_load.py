"""A flag beats a variable, a variable the default; what cannot be parsed falls back or ends the program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from argocd_agent.errors import ConfigError
from argocd_agent.settings.declare import Served, more_than_zero, not_served, setting, verify
from argocd_agent.settings.load import Loaded, load
from argocd_agent.settings.values import Secret, boolean, choice, duration, port, secret, text_list


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyConfig:
    program: ClassVar[str] = "agent"

    flags_given: frozenset[str] = frozenset()
    listen_port: int = setting("listen.port", 8443, "Where.", port)
    ack_timeout_seconds: float = setting("ack.timeout", 5.0, "How long.", duration, check=more_than_zero)
    allowed: tuple[str, ...] = setting("allowed", (), "Who.", text_list)
    is_open: bool = setting("open", False, "Whether.", boolean, flag="--insecure-open", guards=True)
    style: str = setting("style", "text", "How.", choice("text", "json"))
    password: Secret = setting("password", Secret(), "Secret.", secret, variable="=TOY_PASSWORD", configmap="")
    later: bool = setting("later", False, "Later.", boolean, served=Served.NOT_YET)

    def __post_init__(self) -> None:
        verify(self)


def loaded(flags: Mapping[str, Sequence[str]] | None = None, **environ: str) -> Loaded[ToyConfig]:
    return load(ToyConfig, flags or {}, environ)


def test_without_flags_and_variables_all_is_default() -> None:
    assert loaded().config == ToyConfig()
    assert loaded().notices == ()


@pytest.mark.feature("P-1", "A-1", "C-93")
def test_a_variable_beats_the_default() -> None:
    assert loaded(ARGOCD_AGENT_LISTEN_PORT="0x50").config.listen_port == 80


@pytest.mark.feature("P-1", "A-1", "C-93")
def test_a_flag_beats_a_variable() -> None:
    found = loaded({"--listen-port": ["1"]}, ARGOCD_AGENT_LISTEN_PORT="2")

    assert found.config.listen_port == 1
    assert found.config.flags_given == {"--listen-port"}


def test_of_a_repeated_flag_the_last_counts_and_lists_add_up() -> None:
    found = loaded({"--listen-port": ["1", "2"], "--allowed": ["a,b", "c"]})

    assert (found.config.listen_port, found.config.allowed) == (2, ("a", "b", "c"))


@pytest.mark.feature("P-3", "A-3", "C-93")
def test_a_flag_that_cannot_be_parsed_is_fatal() -> None:
    with pytest.raises(ConfigError, match=r"^--listen-port: 99999 is not a port \(0 to 65535\)$"):
        loaded({"--listen-port": ["99999"]})


@pytest.mark.feature("P-2", "A-2", "C-93")
@pytest.mark.parametrize("raw", ["x", "", "99999"])
def test_a_variable_that_cannot_be_parsed_falls_back_with_one_line(raw: str) -> None:
    found = loaded(ARGOCD_AGENT_LISTEN_PORT=raw)

    assert found.config.listen_port == 8443
    assert len(found.notices) == 1
    assert found.notices[0].startswith("environment variable ARGOCD_AGENT_LISTEN_PORT: ")
    assert found.notices[0].endswith("; using the default 8443")


@pytest.mark.feature("P-3", "A-3", "C-93")
@pytest.mark.parametrize("raw", ["maybe", ""])
def test_a_variable_that_decides_who_gets_in_must_be_readable(raw: str) -> None:
    with pytest.raises(ConfigError, match=r"ARGOCD_AGENT_OPEN: .* it decides who gets in"):
        loaded(ARGOCD_AGENT_OPEN=raw)


@pytest.mark.feature("P-3", "A-3", "C-93")
def test_a_word_out_of_a_fixed_set_is_fatal_from_a_variable_too() -> None:
    with pytest.raises(ConfigError, match="ARGOCD_AGENT_STYLE: 'xml' is not text or json"):
        loaded(ARGOCD_AGENT_STYLE="xml")


@pytest.mark.feature("P-3", "A-3", "C-93")
def test_a_value_against_its_rule_is_fatal_wherever_it_comes_from() -> None:
    with pytest.raises(ConfigError, match=r"^--ack-timeout: -1 is too little, expected more than 0$"):
        loaded(ARGOCD_AGENT_ACK_TIMEOUT="-1s")
    with pytest.raises(ConfigError, match="--ack-timeout"):
        ToyConfig(ack_timeout_seconds=0)


def test_an_unknown_flag_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"^unknown flag --listen-prt: did you mean --listen-port\?$"):
        loaded({"--listen-prt": ["1"]})


def test_unknown_variables_of_ours_make_one_line_with_suggestions() -> None:
    found = loaded(ARGOCD_AGENT_LISTEN_PROT="1", ARGOCD_PRINCIPAL_QQQQ="1", SOMETHING_ELSE="1")

    assert len(found.notices) == 1
    assert found.notices[0] == (
        "ignored: unknown environment variable ARGOCD_AGENT_LISTEN_PROT: did you mean ARGOCD_AGENT_LISTEN_PORT?; "
        "unknown environment variable ARGOCD_PRINCIPAL_QQQQ"
    )


def test_variables_that_kubernetes_sets_for_services_are_no_typing_errors() -> None:
    found = loaded(
        ARGOCD_AGENT_REDIS_PROXY_SERVICE_HOST="10.0.0.1",
        ARGOCD_AGENT_REDIS_PROXY_SERVICE_PORT="6379",
        ARGOCD_AGENT_REDIS_PROXY_SERVICE_PORT_HTTPS="6379",
        ARGOCD_AGENT_REDIS_PROXY_PORT="tcp://10.0.0.1:6379",
        ARGOCD_AGENT_REDIS_PROXY_PORT_6379_TCP_ADDR="10.0.0.1",
    )

    assert found.notices == ()


def test_variables_of_others_are_asked_for_only_when_one_is_unknown() -> None:
    asked: list[str] = []

    def others() -> list[str]:
        asked.append("asked")
        return ["ARGOCD_PRINCIPAL_AUTH"]

    load(ToyConfig, {}, {"ARGOCD_AGENT_LATER": "true"}, others)
    before = list(asked)
    found = load(ToyConfig, {}, {"ARGOCD_PRINCIPAL_AUTH": "x"}, others)

    assert (before, asked, found.notices) == ([], ["asked"], ())


def test_a_secret_never_reaches_a_message() -> None:
    found = loaded(TOY_PASSWORD="hunter2")

    assert found.config.password.reveal() == "hunter2"
    assert "hunter2" not in repr(found)


def test_only_settings_away_from_their_default_are_reported_as_not_served() -> None:
    assert not_served(ToyConfig()) == ()
    assert not_served(ToyConfig(later=True, listen_port=1)) == ("--later",)
