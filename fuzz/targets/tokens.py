"""An access token as an agent reads it, which has no key to check it with: claims, or the named error."""

import contextlib

from argocd_agent.errors import KeyMaterialError
from argocd_agent.pki.subject import needs_refresh, parse_subject, read_unverified, subject_text


def check(data: bytes) -> None:
    """Raises AssertionError where what was read does not read the same again."""
    with contextlib.suppress(KeyMaterialError):
        token = read_unverified(data.decode("latin-1"))

        assert parse_subject(subject_text(token.subject)) == token.subject
        assert token.expires_at is None or needs_refresh(token, token.expires_at)
