"""Which cache keys are about which application, and what they are called on its spoke."""

import pytest

from argocd_agent.errors import DecodeError
from argocd_agent.wire.cachekeys import app_key, on_spoke


@pytest.mark.feature("P-106")
@pytest.mark.parametrize(
    ("key", "namespace", "name"),
    [
        ("app|resources-tree|agent-a_guestbook|1.8.3.gz", "agent-a", "guestbook"),
        ("app|managed-resources|agent-a_guestbook|1.8.3", "agent-a", "guestbook"),
        ("app|resources-tree|agent-a_guestbook|7|1.8.3", "agent-a", "guestbook"),  # one shard of a large tree
        ("app|resources-tree|agent-a_guestbook", "agent-a", "guestbook"),
        ("app|resources-tree|guestbook|1.8.3", "", "guestbook"),
        ("app|resources-tree|a_b_c|1.8.3", "a", "b_c"),
    ],
)
def test_keys_of_applications_are_known(key: str, namespace: str, name: str) -> None:
    found = app_key(key)

    assert found is not None
    assert (found.namespace, found.name, found.is_tree) == (namespace, name, "tree" in key)


@pytest.mark.feature("P-106")
@pytest.mark.parametrize(
    "key",
    [
        *(
            "new-revoked-token",
            "mfst|a|b",
            "cluster|info|https://x|1.8.3",
            "git-refs|r|1",
            "gitdirs|r|1",
            "gitfiles|r|1",
        ),
        *("app|resources-trees|agent-a_x|1", "app|resources-tree", "app|resources-tree|", "app", "", "|", "xapp|a|b|c"),
        *("app|resources-tree|agent-a_|1.8.3", "APP|resources-tree|agent-a_x|1"),
    ],
)
def test_other_keys_are_not_of_applications(key: str) -> None:
    assert app_key(key) is None


@pytest.mark.feature("A-87", "P-106")
@pytest.mark.parametrize(
    ("key", "mapped"),
    [
        ("app|resources-tree|agent-a_guestbook|1.8.3.gz", "app|resources-tree|guestbook|1.8.3.gz"),
        ("app|managed-resources|agent-a_guestbook|1.8.3", "app|managed-resources|guestbook|1.8.3"),
        ("app|resources-tree|agent-a_guestbook|7|1.8.3", "app|resources-tree|guestbook|7|1.8.3"),
        ("git-refs|https://r|1.8.3", "git-refs|https://r|1.8.3"),
        ("gitdirs|x", "gitdirs|x"),
        ("gitfiles|x", "gitfiles|x"),
    ],
)
def test_on_the_spoke_an_application_is_in_argo_cds_own_namespace(key: str, mapped: str) -> None:
    assert on_spoke(key, destination_mapping=False) == mapped
    assert on_spoke(key, destination_mapping=True) == key


@pytest.mark.feature("A-87")
@pytest.mark.parametrize("key", ["app|resources-tree|guestbook|1.8.3", "mfst|x", "", "app|resources-tree|agent-a_x"])
def test_a_key_that_the_hub_has_no_business_with_is_refused(key: str) -> None:
    with pytest.raises(DecodeError, match="expected app"):
        on_spoke(key, destination_mapping=False)

    assert on_spoke(key, destination_mapping=True) == key
