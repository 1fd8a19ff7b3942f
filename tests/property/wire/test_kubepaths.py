"""Whatever a path is made from, it names just that again; and whatever is named by a path can be written as one."""

from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.errors import DecodeError
from argocd_agent.wire.kubepaths import KubePath, parse_path, path_of

WORDS = st.sampled_from(
    ["", "v1", "apps", "namespaces", "status", "finalize", "pods", "a:b", "ü x", "..", "a/b", "a%b", "."]
)


@given(
    is_core=st.booleans(), group=WORDS, version=WORDS, namespace=WORDS, resource=WORDS, name=WORDS, subresource=WORDS
)
def test_a_path_that_was_made_names_what_it_was_made_from(
    is_core: bool, group: str, version: str, namespace: str, resource: str, name: str, subresource: str
) -> None:
    what = KubePath(is_core, group, version, namespace, resource, name, subresource)
    try:
        path = path_of(what)
    except DecodeError:
        return

    assert parse_path(path) == what


@given(st.lists(WORDS.filter(bool), max_size=9))
def test_what_a_path_names_can_be_written_as_a_path(parts: list[str]) -> None:
    try:
        what = parse_path("/" + "/".join(parts))
    except DecodeError:
        return

    assert parse_path(path_of(what)) == what
