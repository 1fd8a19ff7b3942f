"""A record of held deletions: what is read is written and read again the same, or `DecodeError`."""

from argocd_agent.errors import DecodeError
from argocd_agent.wire.brake import read_record, record_of


def check(data: bytes) -> None:
    """Raises AssertionError where a record changes on its way through text."""
    try:
        held = read_record(data.decode(errors="replace"), "record")
    except DecodeError:
        return
    assert read_record(record_of(held), "record") == held
