"""The tree that two of our ends compare."""

import pytest

from argocd_agent.errors import EventRefused
from argocd_agent.protocol.digest import BUCKETS, DigestTree, Entry, Repairs, bucket_of, differing, repairs

A, B, C = (Entry(f"application/ns/{name}", f"uid-{name}", name.encode() * 32) for name in "abc")


def test_an_empty_tree_has_256_empty_buckets() -> None:
    assert DigestTree().buckets() == (bytes(16),) * BUCKETS


def test_the_order_of_setting_does_not_matter() -> None:
    assert DigestTree([A, B, C]).buckets() == DigestTree([C, A, B]).buckets()


def test_removing_leaves_no_trace() -> None:
    tree = DigestTree([A, B])
    tree.remove(B.key)
    tree.remove("application/ns/never-there")

    assert (tree.buckets(), tree.root, len(tree)) == (DigestTree([A]).buckets(), DigestTree([A]).root, 1)


def test_setting_again_replaces() -> None:
    tree = DigestTree([A])
    tree.set(A.key, "other", b"changed")

    assert tree.buckets() == DigestTree([Entry(A.key, "other", b"changed")]).buckets()


@pytest.mark.parametrize("changed", [A._replace(uid="other"), A._replace(checksum=b"other")])
def test_a_change_of_uid_or_checksum_changes_the_bucket_of_the_key_and_the_root(changed: Entry) -> None:
    before, after = DigestTree([A, B, C]), DigestTree([changed, B, C])

    assert differing(before.buckets(), after.buckets()) == [bucket_of(A.key)]
    assert before.root != after.root


def test_what_is_between_uid_and_checksum_counts() -> None:
    assert DigestTree([Entry("k", "ab", b"c")]).root != DigestTree([Entry("k", "a", b"bc")]).root


def test_the_bucket_of_a_key_never_changes() -> None:
    assert [bucket_of(entry.key) for entry in (A, B, C)] == [10, 121, 20]


def test_a_digest_of_another_shape_is_refused() -> None:
    with pytest.raises(EventRefused, match="expected 256 buckets, found 1"):
        differing(DigestTree().buckets(), [b""])


def test_entries_of_some_buckets_are_given_by_bucket_and_key() -> None:
    tree = DigestTree([A, B, C])

    assert tree.entries([bucket_of(B.key), bucket_of(A.key), 9999]) == [B, A]


def test_repairs_tell_what_the_peer_lacks_has_wrong_and_should_not_have() -> None:
    wrong, extra = B._replace(checksum=b"old"), Entry("application/ns/gone", "u", b"")

    assert repairs([A, B, C], [wrong, C, extra]) == Repairs(missing=(A,), different=(B,), extra=(extra,))


def test_equal_entries_need_no_repair() -> None:
    assert not repairs([A, B], [B, A])


def test_what_is_outside_the_compared_buckets_is_left_alone() -> None:
    assert repairs([A, B], [C], [bucket_of(A.key)]) == Repairs(missing=(A,))
