"""Resource keys and the reference's checksum over them."""

from argocd_agent.protocol.inventory import Inventory, ResourceKey

UID = "3c8e2b1e-0000-4000-8000-00000000000"
GUESTBOOK = ResourceKey("Application", "argocd", "guestbook", f"{UID}1")
DEFAULT = ResourceKey("AppProject", "argocd", "default", f"{UID}2")
REPOSITORY = ResourceKey("Repository", "argocd", "my-repo", f"{UID}3")


def test_the_checksum_is_that_of_the_wire_contract() -> None:
    checksum = Inventory([GUESTBOOK, DEFAULT, REPOSITORY]).checksum()

    assert checksum is not None
    assert checksum.hex() == "dbf163cfb6fdf43ddeb70ad07c4d1b8ba683349b478c1d782620246a175f51e0"


def test_nothing_has_no_checksum() -> None:
    assert Inventory().checksum() is None


def test_nothing_agrees_with_null_and_with_the_empty_bytes_that_the_reference_sends() -> None:
    assert [Inventory().agrees_with(checksum) for checksum in (None, b"")] == [True, True]
    assert not Inventory([DEFAULT]).agrees_with(None)


def test_the_namespace_does_not_count() -> None:
    elsewhere = ResourceKey("Application", "team-a", "guestbook", f"{UID}1")

    assert Inventory([GUESTBOOK]).agrees_with(Inventory([elsewhere]).checksum())


def test_resources_of_one_name_in_two_namespaces_both_count() -> None:
    elsewhere = ResourceKey("Application", "team-a", "guestbook", f"{UID}1")

    assert not Inventory([GUESTBOOK, elsewhere]).agrees_with(Inventory([GUESTBOOK]).checksum())


def test_an_object_made_anew_replaces_the_old_one() -> None:
    anew = ResourceKey("Application", "argocd", "guestbook", "other")
    inventory = Inventory([GUESTBOOK])

    inventory.put(anew)

    assert list(inventory) == [anew]


def test_the_late_end_of_an_old_object_leaves_the_new_one() -> None:
    anew = ResourceKey("Application", "argocd", "guestbook", "other")
    inventory = Inventory([anew, DEFAULT])

    inventory.discard(GUESTBOOK)
    inventory.discard(DEFAULT)

    assert (list(inventory), len(inventory), anew in inventory, GUESTBOOK in inventory) == ([anew], 1, True, False)
