"""Values are read as Go's flag and strconv packages read them."""

import pytest

from argocd_agent.errors import ConfigError
from argocd_agent.settings import values
from argocd_agent.settings.values import Method, Secret, parse_duration, show_duration


@pytest.mark.parametrize("raw", ["1", "t", "T", "TRUE", "true", "True"])
def test_true_is_written_in_six_ways(raw: str) -> None:
    assert values.boolean.parse(raw) is True


@pytest.mark.parametrize("raw", ["0", "f", "F", "FALSE", "false", "False"])
def test_false_is_written_in_six_ways(raw: str) -> None:
    assert values.boolean.parse(raw) is False


@pytest.mark.parametrize("raw", ["", "yes", "no", "on", "tRUE", " true"])
def test_other_words_are_no_booleans(raw: str) -> None:
    with pytest.raises(ConfigError, match="is not a boolean"):
        values.boolean.parse(raw)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("0", 0),
        ("42", 42),
        ("-7", -7),
        ("+7", 7),
        ("0x1f90", 8080),
        ("0o17", 15),
        ("017", 15),
        ("0b11", 3),
        ("1_000", 1000),
    ],
)
def test_integers_have_gos_prefixes(raw: str, number: int) -> None:
    assert values.integer.parse(raw) == number


@pytest.mark.parametrize("raw", ["", "x", "1.5", "08", "1__0", "_1", "0x", "2147483648", "-2147483649", "١"])
def test_what_go_refuses_as_integer_is_refused(raw: str) -> None:
    with pytest.raises(ConfigError):
        values.integer.parse(raw)


@pytest.mark.parametrize("raw", ["65536", "-1", "99999"])
def test_a_port_has_16_bits(raw: str) -> None:
    with pytest.raises(ConfigError, match=r"is not a port \(0 to 65535\)"):
        values.port.parse(raw)


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [("0", 0), ("30s", 30), ("1h20m", 4800), ("1.5s", 1.5), (".5s", 0.5), ("300ms", 0.3), ("-2m", -120),
     ("1h1m1s", 3661), ("5us", 5e-6), ("5µs", 5e-6), ("0s", 0)],
)  # fmt: skip
def test_durations_are_gos(raw: str, seconds: float) -> None:
    assert parse_duration(raw) == pytest.approx(seconds)


@pytest.mark.parametrize("raw", ["", "5", "s", "1d", "1s ", "1 s", "-", "1h2", "--1s"])
def test_a_duration_needs_units(raw: str) -> None:
    with pytest.raises(ConfigError, match="is not a duration"):
        parse_duration(raw)


@pytest.mark.parametrize("seconds", [0, 0.25, 1, 1.5, 59, 60, 61, 3600, 4800, 86_400, -5])
def test_a_shown_duration_reads_back_as_itself(seconds: float) -> None:
    assert parse_duration(show_duration(seconds)) == pytest.approx(seconds)


def test_durations_are_shown_in_the_largest_units() -> None:
    assert [show_duration(seconds) for seconds in (0, 5, 300, 4800, 0.5)] == ["0", "5s", "5m", "1h20m", "500ms"]


def test_lists_are_trimmed_and_an_empty_text_is_an_empty_list() -> None:
    assert values.text_list.parse(" a , b,,c ") == ("a", "b", "c")
    assert values.text_list.parse("") == ()


@pytest.mark.parametrize(
    ("raw", "parsed"),
    [
        ("redis:6379", ("redis", 6379)),
        ("10.0.0.1:1", ("10.0.0.1", 1)),
        ("[::1]:80", ("::1", 80)),
        ("", None),
        (":9", ("", 9)),
    ],
)
def test_addresses_are_host_and_port(raw: str, parsed: tuple[str, int] | None) -> None:
    assert values.address.parse(raw) == parsed
    assert values.address.show(parsed) in (raw, "")


@pytest.mark.parametrize(
    "raw", ["redis", "redis:", "redis:x", "redis:70000", "a b:1", "[zz]:1", "::1:80", "http://a:1"]
)
def test_what_is_no_address_is_refused(raw: str) -> None:
    with pytest.raises(ConfigError):
        values.address.parse(raw)


def test_namespace_patterns_are_globs_or_regular_expressions() -> None:
    assert values.patterns.parse("argocd, team-*,/^prod-.*/") == ("argocd", "team-*", "/^prod-.*/")


@pytest.mark.parametrize("raw", ["/(/", "a[", "/", "//"])
def test_a_broken_pattern_is_refused(raw: str) -> None:
    with pytest.raises(ConfigError):
        values.patterns.parse(raw)


def test_labels_are_split_at_the_first_equals_sign() -> None:
    assert values.labels.parse("a=b, c=d") == (("a", "b"), ("c", "d"))


@pytest.mark.parametrize("raw", ["a", "a=", "=b", "a=b=c"])
def test_a_label_needs_a_key_and_a_value(raw: str) -> None:
    with pytest.raises(ConfigError, match="is not a label"):
        values.labels.parse(raw)


def test_a_method_is_split_at_the_first_colon() -> None:
    assert values.method.parse("mtls:subject:CN=(.+)") == Method("mtls", "subject:CN=(.+)")
    assert values.method.parse("") == Method("", "")
    with pytest.raises(ConfigError, match="<method>:<configuration>"):
        values.method.parse("mtls")


def test_a_secret_shows_nothing_of_itself() -> None:
    secret = Secret("hunter2")

    assert [repr(secret), str(secret), f"{secret}", f"{[secret]}"] == ["***", "***", "***", "[***]"]
    assert secret.reveal() == "hunter2"
    assert values.secret.show(secret) == "***"


def test_choices_name_what_was_expected() -> None:
    with pytest.raises(ConfigError, match="'xml' is not text or json"):
        values.choice("text", "json").parse("xml")
    assert values.choice("text", "json", fold_case=True).parse("JSON") == "json"


def test_values_show_what_they_parse() -> None:
    assert values.boolean.show(values.boolean.parse("T")) == "true"
    assert values.port.show(values.port.parse("0x50")) == "80"
    assert values.text_list.show(values.text_list.parse("a, b")) == "a,b"
    assert values.labels.show(values.labels.parse("a=b")) == "a=b"
    assert values.method.show(values.method.parse("mtls:any")) == "mtls:any"
