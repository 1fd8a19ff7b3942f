"""A log record is one line, and holds no secret."""

import json
import logging
from collections.abc import Mapping

import pytest

from argocd_agent.settings.loglevels import Level
from argocd_agent.settings.values import Secret
from argocd_agent.telemetry.format import json_line, level_name, mask, text_line

TOKEN = "eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvg\n-----END PRIVATE KEY-----"


def a_record(sentence: str = "An agent connected", level: int = Level.INFO, **fields: object) -> logging.LogRecord:
    record = logging.LogRecord("argocd_agent.Server", level, "", 0, sentence, (), None)
    record.created = 0.25
    given: Mapping[str, object] = fields
    record.__dict__["fields"] = given
    return record


def test_text_is_logfmt_with_sorted_fields_and_quotes_where_needed() -> None:
    line = text_line(a_record(name="guest book", agent="one", count=3))

    assert line == (
        'time="1970-01-01T00:00:00.250Z" level=info msg="An agent connected" '
        'agent=one count=3 module=Server name="guest book"\n'
    )


@pytest.mark.parametrize("value", ["a\nb", 'say "x"', "", "a=b", "\x00"])
def test_a_value_cannot_break_a_text_line(value: str) -> None:
    line = text_line(a_record(detail=value))

    assert line.count("\n") == 1
    assert json.loads(line.split(" detail=")[1].split(" module=")[0]) == value


@pytest.mark.feature("P-114", "A-100", "C-103")
def test_json_has_time_level_message_and_fields() -> None:
    found = json.loads(json_line(a_record(agent="one", count=3, ratio=0.5, up=True)))

    assert found == {
        "time": "1970-01-01T00:00:00.250Z", "level": "info", "msg": "An agent connected", "module": "Server",
        "agent": "one", "count": 3, "ratio": 0.5, "up": True,
    }  # fmt: skip


def test_levels_have_the_references_names() -> None:
    assert [level_name(level) for level in Level] == ["trace", "debug", "info", "warning", "error", "fatal"]


@pytest.mark.feature("P-114", "A-100", "C-103")
@pytest.mark.parametrize("field", ["token", "password", "access_token", "Authorization"])
def test_fields_that_are_called_like_secrets_are_masked(field: str) -> None:
    record = a_record()
    record.__dict__["fields"] = {field: "hunter2"}

    assert "hunter2" not in text_line(record) + json_line(record)


@pytest.mark.feature("P-114", "A-100", "C-103")
@pytest.mark.parametrize("text", [TOKEN, KEY, f"refused: {TOKEN}", KEY.replace("PRIVATE", "RSA PRIVATE")])
def test_tokens_and_private_keys_are_masked_wherever_they_stand(text: str) -> None:
    record = a_record(sentence=f"It said {text}", error=text)

    lines = text_line(record) + json_line(record)

    assert "eyJzdWIi" not in lines
    assert "MIIEvg" not in lines
    assert "***" in lines


def test_a_secret_value_is_masked() -> None:
    assert "hunter2" not in text_line(a_record(value=Secret("hunter2"))) + json_line(a_record(value=Secret("hunter2")))


def test_what_is_no_secret_stays() -> None:
    assert mask("certificate of CN=eyJay expired") == "certificate of CN=eyJay expired"


def test_a_traceback_is_a_field() -> None:
    error = ValueError("boom")
    record = a_record()
    record.exc_info = (ValueError, error, None)

    assert "ValueError: boom" in json.loads(json_line(record))["trace"]
