"""Canonical form and checksums."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_agent.codec import decode_any
from argocd_agent.errors import DecodeError
from argocd_agent.protocol.events import Target
from argocd_agent.resources.checksum import DIGEST_BYTES, canonical, digest_checksum, spec_checksum
from argocd_agent.resources.kinds import APPLICATION, CONFIGMAPS, SECRETS, Kind
from argocd_agent.resources.objects import Metadata, Object

REPOSITORY = Kind("Repository", Target.REPOSITORY, SECRETS, compared=("data",))
GPG_KEY = Kind("GPGKey", Target.GPGKEY, CONFIGMAPS, compared=("data",))

TEXT = st.text(st.characters(codec="utf-8"), max_size=10)
FLOATS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: value != 0)


def json_of(leaves: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.recursive(
        leaves | st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
        max_leaves=10,
    )


def an_object(**fields: bytes) -> Object:
    return Object(Metadata(name="guestbook", namespace="argocd"), fields)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (b' { "b" : [ 1 , true , null ] , "a" : { } } ', b'{"a":{},"b":[1,true,null]}'),
        ('{"\U0001f600":1,"\uffff":2,"é":3,"z":4}'.encode(), '{"z":4,"é":3,"\uffff":2,"\U0001f600":1}'.encode()),
        (b'"\\u0008\\u000c\\n\\r\\t\\"\\\\\\/"', b'"\\b\\f\\n\\r\\t\\"\\\\/"'),
        (b'"\\u0000\\u000B\\u001F\\u007f"', b'"\\u0000\\u000b\\u001f\x7f"'),
        (b'"<a href=\\"x&y\\">"', b'"\\u003ca href=\\"x\\u0026y\\"\\u003e"'),
        (b'{"<":"\\u2028\\u2029\\u202a"}', b'{"\\u003c":"\\u2028\\u2029\xe2\x80\xaa"}'),
        (b'"\\u00e9\\ud83d\\ude00"', '"é\U0001f600"'.encode()),
    ],
)
def test_text_is_written_as_go_writes_it(text: bytes, form: bytes) -> None:
    assert canonical(text) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "-0"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("1.50", "1.5"),
        ("0.1", "0.1"),
        ("1e-4", "0.0001"),
        ("1.5e-5", "0.000015"),
        ("0.000001", "0.000001"),
        ("0.00000099", "9.9e-7"),
        ("1e-10", "1e-10"),
        ("5e-324", "5e-324"),
        ("1e16", "10000000000000000"),
        ("123456789012345680000.0", "123456789012345680000"),
        ("1e21", "1e+21"),
        ("-1.7976931348623157e308", "-1.7976931348623157e+308"),
        ("9223372036854775807", "9223372036854775807"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ],
)
def test_number_is_written_as_go_writes_it(text: str, form: str) -> None:
    assert canonical(text.encode()) == form.encode()


def test_bytes_that_are_not_utf8_read_as_one_replacement_character_each() -> None:
    assert canonical(b'"a\xff\xf0\x9f\x98b"') == '"a\ufffd\ufffd\ufffd\ufffdb"'.encode()


@pytest.mark.parametrize("text", [b"", b"{", b"1e400", b'"\\ud800"', b"[" * 100_000, b'"\xff', b"NaN"])
def test_what_is_not_json_is_a_named_error(text: bytes) -> None:
    with pytest.raises(DecodeError, match="canonical form: "):
        canonical(text)


def test_decoded_text_that_is_not_unicode_is_a_named_error() -> None:
    with pytest.raises(DecodeError, match="canonical form: "):
        canonical({"a": "\ud800"})


@settings(max_examples=25)
@given(json_of(FLOATS))
def test_canonical_form_is_its_own_canonical_form(value: object) -> None:
    form = canonical(value)

    assert canonical(form) == form
    assert canonical(decode_any(form)) == form


@settings(max_examples=25)
@given(json_of(TEXT))
def test_canonical_form_keeps_the_value(value: object) -> None:
    assert json.loads(canonical(value)) == value


@settings(max_examples=25)
@given(FLOATS)
def test_canonical_form_keeps_every_float(value: float) -> None:
    assert float(canonical(value)) == value


@settings(max_examples=25)
@given(json_of(FLOATS))
def test_canonical_form_does_not_depend_on_spelling(value: object) -> None:
    spelt = json.dumps(value, indent=1, ensure_ascii=True).encode()

    assert canonical(spelt) == canonical(value)


def test_only_a_top_level_destination_does_not_count() -> None:
    here = an_object(spec=b'{"project":"p","destination":{"name":"here"},"source":{"destination":1}}')
    there = an_object(spec=b'{"source":{"destination":1},"project":"p"}')
    other = an_object(spec=b'{"source":{},"project":"p"}')

    assert spec_checksum(here, APPLICATION) == spec_checksum(there, APPLICATION)
    assert spec_checksum(here, APPLICATION) != spec_checksum(other, APPLICATION)


def test_metadata_and_status_do_not_count() -> None:
    one = Object(Metadata(name="a", labels={"x": "y"}), {"spec": b"{}", "status": b'{"health":{}}'})

    assert spec_checksum(one, APPLICATION) == spec_checksum(an_object(spec=b"{}"), APPLICATION)


@pytest.mark.parametrize("fields", [{}, {"data": b"null"}, {"data": b"{}"}])
def test_configmap_without_data_is_an_empty_one(fields: dict[str, bytes]) -> None:
    assert spec_checksum(an_object(**fields), GPG_KEY) == spec_checksum(an_object(data=b"{}"), GPG_KEY)


def test_secret_is_compared_by_its_data() -> None:
    one, other = an_object(data=b'{"url":"YQ=="}'), an_object(data=b'{"url":"Yg=="}')

    assert spec_checksum(one, REPOSITORY) != spec_checksum(other, REPOSITORY)


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({}, REPOSITORY, "Repository argocd/guestbook: data: expected a JSON object, found null"),
        ({}, APPLICATION, "Application argocd/guestbook: spec: expected a JSON object, found null"),
        ({"spec": b"[]"}, APPLICATION, "Application argocd/guestbook: spec: expected a JSON object, found \\[\\]"),
        ({"spec": b"{"}, APPLICATION, "Application argocd/guestbook: spec: Input data was truncated"),
    ],
)
def test_object_without_what_is_compared_is_a_named_error(fields: dict[str, bytes], kind: Kind, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        spec_checksum(an_object(**fields), kind)


def test_digest_depends_on_values_and_not_on_spelling() -> None:
    assert digest_checksum([b'{"a":1,"b":2}']) == digest_checksum([b'{ "b": 2, "a": 1.0 }'])
    assert digest_checksum([b'{"a":1}']) != digest_checksum([b'{"a":2}'])
    assert len(digest_checksum([])) == DIGEST_BYTES


def test_digest_keeps_parts_apart() -> None:
    parts: list[list[bytes]] = [[], [b""], [b"", b""], [b"null"], [b"null", b""], [b"", b"null"], [b"12"], [b"1", b"2"]]

    assert len({digest_checksum(each) for each in parts}) == len(parts)
