import pytest

from argocd_agent.demo.documents import parse_documents
from argocd_agent.demo.model import Unsupported


def test_every_document_of_a_stream_is_read_and_empty_ones_are_skipped() -> None:
    assert parse_documents("a: 1\n---\n---\n# nothing\n---\nb: [x]\n", "f") == [{"a": 1}, {"b": ["x"]}]


def test_json_is_read_too() -> None:
    assert parse_documents('{"a": {"b": null}}', "f") == [{"a": {"b": None}}]


def test_timestamps_stay_text() -> None:
    assert parse_documents("at: 2026-01-02\nthen: 2026-01-02T03:04:05Z", "f") == [
        {"at": "2026-01-02", "then": "2026-01-02T03:04:05Z"}
    ]


def test_keys_become_text_as_in_json() -> None:
    assert parse_documents("data:\n  1: x", "f") == [{"data": {"1": "x"}}]


@pytest.mark.parametrize(
    "text", ["a: [", "{{ .Values.x }}", "!!python/object:os.system {}", "a: &a [*a]", "just text", "- 1"]
)
def test_what_kubernetes_cannot_read_is_refused_with_the_files_name(text: str) -> None:
    with pytest.raises(Unsupported, match=r"values\.yaml"):
        parse_documents(text, "values.yaml")
