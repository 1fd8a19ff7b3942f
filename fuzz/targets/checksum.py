"""JSON in any spelling: a canonical form that stays as it is, or `DecodeError`."""

from argocd_agent.errors import DecodeError
from argocd_agent.resources.checksum import canonical, digest_checksum, spec_checksum
from argocd_agent.resources.kinds import APPLICATION
from argocd_agent.resources.objects import Metadata, Object


def check(data: bytes) -> None:
    """Raises AssertionError where a canonical form has another canonical form, or another checksum."""
    try:
        form = canonical(data)
    except DecodeError:
        return
    assert form.isascii() or form.decode(), "a canonical form is UTF-8"
    assert not set(form) & set(b"<>&"), "a canonical form can stand in HTML"
    if b"-0" not in form:  # Go keeps a negative zero, and reads it as a plain one
        assert canonical(form) == form
        assert digest_checksum([form]) == digest_checksum([data])
    if form.startswith(b"{"):
        one, other = (Object(Metadata(), {"spec": spec}) for spec in (data, canonical(form)))
        assert b"-0" in form or spec_checksum(one, APPLICATION) == spec_checksum(other, APPLICATION)
