"""A certificate as an agent looks at it without a library for that: DER, or PEM with some, or the named error."""

import contextlib

from argocd_agent.errors import KeyMaterialError
from argocd_agent.pki.glance import certificates_in, glance


def check(data: bytes) -> None:
    """Raises AssertionError where a certificate is read that has no times."""
    with contextlib.suppress(KeyMaterialError):
        assert glance(data, "fuzz").not_before.tzinfo is not None
    with contextlib.suppress(KeyMaterialError):
        for der in certificates_in(data.decode("latin-1"), "fuzz"):
            with contextlib.suppress(KeyMaterialError):
                assert glance(der, "fuzz").not_after.tzinfo is not None
