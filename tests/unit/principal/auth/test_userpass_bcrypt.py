"""Passwords against real bcrypt hashes."""

import bcrypt
import pytest

from argocd_agent.principal.auth.userpass import bcrypt_verifier


@pytest.mark.feature("P-11", "C-54")
def test_the_right_password_is_accepted_and_no_other() -> None:
    digest = bcrypt.hashpw(b"secret", bcrypt.gensalt(rounds=4))
    verify = bcrypt_verifier()

    assert verify(b"secret", digest)
    assert not verify(b"Secret", digest)
