import pytest

from argocd_agent.codec import decode_any
from argocd_agent.resources.kinds import APPLICATIONS
from bench.applications import LARGE_BYTES, application, marker, size_of, spec_patch, status_patch, with_status


@pytest.mark.parametrize("size_bytes", [3 * 1024, 5000, LARGE_BYTES])
def test_an_application_is_as_large_as_asked_for(size_bytes: int) -> None:
    made = application("bench", "app-1", size_bytes, labels={"a": "b"})

    assert abs(len(made.encode(APPLICATIONS)) - size_bytes) <= 8


def test_sizes_of_a_thousand_are_spread_over_3_to_8_kilobytes() -> None:
    sizes = [size_of(number) for number in range(1000)]

    assert (min(sizes), max(sizes)) == pytest.approx((3 * 1024, 8 * 1024), abs=50)
    assert sum(sizes) / 1000 == pytest.approx(5.5 * 1024, rel=0.02)
    assert sum(size < 4096 for size in sizes) == pytest.approx(200, abs=20)


def test_the_marker_of_a_patch_is_found_as_bytes() -> None:
    wanted = marker(7)

    assert wanted.encode() in spec_patch(wanted)
    assert wanted.encode() in status_patch(wanted)


def test_no_marker_is_part_of_another() -> None:
    markers = [marker(number) for number in (1, 11, 111, 12345678)]

    assert not any(one in other for one in markers for other in markers if one != other)


def test_a_patch_of_the_status_leaves_the_spec_alone() -> None:
    assert set(decode_any(status_patch(marker(1)), "patch")) == {"status"}


def test_a_status_is_the_one_that_a_patch_brings_and_leaves_the_spec_alone() -> None:
    bare = application("bench", "app-1", 4000)

    reported = with_status(bare, marker(3))

    assert reported.look("status") == decode_any(status_patch(marker(3)), "patch")["status"]
    assert reported.fields["spec"] == bare.fields["spec"]
