"""kubelists and kubediscovery: taken apart, put together again, and what is none."""

import pytest

from argocd_agent.errors import DecodeError
from argocd_agent.wire.kubediscovery import Served, served_in
from argocd_agent.wire.kubelists import items_of, watch_line, with_items

LIST = b'{"kind":"PodList","metadata":{"continue":"x"},"items":[{"a":1},{"b":"\xc3\xbc"}]}'


def test_a_list_is_taken_apart_and_put_together() -> None:
    items = items_of(LIST)

    assert items == (b'{"a":1}', b'{"b":"\xc3\xbc"}')
    assert with_items(LIST, items[1:]) == (b'{"kind":"PodList","metadata":{"continue":"x"},"items":[{"b":"\xc3\xbc"}]}')


@pytest.mark.parametrize(("document", "items"), [(b"{}", None), (b'{"items":null}', ()), (b'{"items":[]}', ())])
def test_a_list_without_items_and_what_is_no_list(document: bytes, items: tuple[bytes, ...] | None) -> None:
    assert items_of(document) == items


@pytest.mark.parametrize("document", [b"", b"[]", b'{"items":1}'])
def test_what_cannot_be_a_list_is_an_error(document: bytes) -> None:
    with pytest.raises(DecodeError):
        items_of(document)


def test_a_watch_line_has_a_type_and_an_object() -> None:
    assert watch_line(b'{"type":"ADDED","object":{"a":1}}') == ("ADDED", b'{"a":1}')
    with pytest.raises(DecodeError):
        watch_line(b'{"type":"ADDED"}')


def test_discovery_names_kinds_without_their_subresources() -> None:
    document = (
        b'{"resources":[{"name":"pods","kind":"Pod","namespaced":true},{"name":"pods/log","kind":"Pod"},'
        b'{"name":"nodes","kind":"Node","namespaced":false}]}'
    )

    assert served_in(document) == (Served("pods", "Pod", True), Served("nodes", "Node", False))
    assert served_in(b'{"resources":null}') == ()
