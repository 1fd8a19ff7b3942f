"""Mirrors are found by namespace without looking at all of them, and one that goes leaves nothing behind."""

from argocd_agent.peer.mirrors import Mirror, Mirrors

MIRROR = Mirror("source", "hub", b"{}")


def test_the_names_of_a_namespace_are_its_own_and_go_when_nothing_is_wanted() -> None:
    mirrors = Mirrors(lambda _: b"{}")
    for key in (("a", "one"), ("a", "two"), ("b", "one")):
        mirrors.expect(key, MIRROR)

    assert (mirrors.keys("a"), mirrors.keys("c"), len(mirrors)) == ([("a", "one"), ("a", "two")], [], 3)
    for key in (("a", "one"), ("a", "two"), ("a", "two"), ("c", "one")):
        mirrors.expect(key, None)
    assert (mirrors.keys("a"), len(mirrors), mirrors.get(("b", "one"))) == ([], 1, MIRROR)
