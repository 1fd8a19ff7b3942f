"""Strategic merge patches on Deployments, and their directives."""

import pytest

from argocd_agent.backends.embedded.kinds import DEPLOYMENTS
from argocd_agent.backends.embedded.schemas import schema_of
from argocd_agent.backends.embedded.strategic import merge_strategically
from argocd_agent.backends.embedded.values import Json, dig
from argocd_agent.errors import DecodeError

CONTAINERS: list[Json] = [
    {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}], "args": ["p", "q"]},
    {"name": "b", "image": "b:1"},
]


def _patched(patch: Json, held: Json = None) -> Json:
    """The pod template's spec after a patch of it."""
    schema = schema_of(DEPLOYMENTS, is_typed=True)
    whole: Json = {"spec": {"template": {"spec": {"containers": CONTAINERS} if held is None else held}}}
    result = merge_strategically(whole, {"spec": {"template": {"spec": patch}}}, schema.root, schema.definitions)
    return dig(result, "spec", "template", "spec")


def test_containers_merge_by_name() -> None:
    patched = _patched({"containers": [{"name": "b", "image": "b:2"}, {"name": "c", "image": "c:1"}]})

    assert patched == {"containers": [CONTAINERS[0], {"name": "b", "image": "b:2"}, {"name": "c", "image": "c:1"}]}


def test_lists_inside_of_merged_items_merge_too() -> None:
    patched = _patched({"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}], "args": ["r"]}]})

    first = dig(patched, "containers")
    assert isinstance(first, list)
    assert dig(first[0], "env") == [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]
    assert dig(first[0], "args") == ["r"], "a list without a merge strategy is replaced"


def test_patch_delete_removes_one_item() -> None:
    assert _patched({"containers": [{"name": "a", "$patch": "delete"}]}) == {"containers": [CONTAINERS[1]]}


def test_patch_replace_replaces_the_list() -> None:
    patched = _patched({"containers": [{"name": "z"}, {"$patch": "replace"}]})

    assert patched == {"containers": [{"name": "z"}]}


def test_patch_replace_replaces_an_object() -> None:
    held: Json = {"securityContext": {"runAsUser": 1, "fsGroup": 2}}

    assert _patched({"securityContext": {"$patch": "replace", "runAsUser": 3}}, held) == {
        "securityContext": {"runAsUser": 3}
    }


def test_null_removes_and_is_never_stored() -> None:
    held: Json = {"hostname": "x"}

    assert _patched({"hostname": None, "securityContext": {"fsGroup": None}}, held) == {"securityContext": {}}


def test_set_element_order_sorts() -> None:
    patched = _patched({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]})

    assert patched == {"containers": [CONTAINERS[1], CONTAINERS[0]]}


def test_delete_from_primitive_list() -> None:
    schema = schema_of(DEPLOYMENTS, is_typed=True)
    held: Json = {"metadata": {"finalizers": ["a/b", "c/d"]}}
    patch: Json = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/b"], "finalizers": ["e/f"]}}

    result = merge_strategically(held, patch, schema.root, schema.definitions)

    assert result == {"metadata": {"finalizers": ["c/d", "e/f"]}}


def test_retain_keys_drops_the_others() -> None:
    schema = schema_of(DEPLOYMENTS, is_typed=True)
    held: Json = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch: Json = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}

    result = merge_strategically(held, patch, schema.root, schema.definitions)

    assert result == {"spec": {"strategy": {"type": "Recreate"}}}


def test_an_item_without_its_merge_key_is_refused() -> None:
    with pytest.raises(DecodeError, match="merge key: name"):
        _patched({"containers": [{"image": "x"}]})


def test_an_unknown_directive_is_refused() -> None:
    with pytest.raises(DecodeError, match="unknown patch type: explode"):
        _patched({"$patch": "explode"})
