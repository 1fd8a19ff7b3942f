"""Method `userpass`: a name and a password, checked against bcrypt hashes in a file (wire contract, 2.3).

The hashing itself is the `bcrypt` package's. It takes a tenth of a second on purpose, so it runs in a thread.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from argocd_agent.errors import AuthenticationFailed
from argocd_agent.principal.auth.identity import agent_name, is_label
from argocd_agent.principal.auth.mtls import check_common_name
from argocd_agent.protocol.events import AgentName
from argocd_agent.transport.gate import Caller
from argocd_agent.wire.messages import LoginRequest

CREDENTIAL_NAME, CREDENTIAL_PASSWORD = "clientid", "clientsecret"

_BCRYPT_BYTES = 72  # what follows is ignored, as bcrypt always did
_HASH = re.compile(r"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
# Of a random password: an unknown name costs as much time as a known one.
NOBODY = "$2b$10$mqSTP7eD1JNL/bAwVC33CuqTVKcoHqi7DNYFtT7JV2LmYoeHrWdmu"

Verifier = Callable[[bytes, bytes], bool]
"""password, hash → whether they belong together."""


@dataclass(frozen=True, slots=True)
class Passwords:
    """What a password file says, and the complaints about lines that were skipped."""

    hashes: Mapping[str, str]
    warnings: tuple[str, ...]


class UserPass:
    """Names by password."""

    name = "userpass"
    needs_client_certificates = False

    def __init__(self, passwords: Passwords, verify: Verifier) -> None:
        self._hashes = passwords.hashes
        self._verify = verify
        self.warnings = passwords.warnings

    async def identify(self, request: LoginRequest, caller: Caller) -> AgentName:
        """As `AuthMethod`."""
        name = request.credentials.get(CREDENTIAL_NAME, "")
        password = request.credentials.get(CREDENTIAL_PASSWORD, "").encode()[:_BCRYPT_BYTES]
        known = self._hashes.get(name)
        is_right = await asyncio.to_thread(self._verify, password, (known or NOBODY).encode())
        if known is None or not is_right:
            raise AuthenticationFailed(f"{caller.address}: wrong name or password for {name!r}")
        return agent_name(name, f"credentials of {caller.address}")

    def check(self, agent: AgentName, caller: Caller, *, match_subject: bool) -> None:
        """As `AuthMethod`: the token speaks for itself."""
        if match_subject:
            check_common_name(agent, caller)


def parse_passwords(text: str, where: str) -> Passwords:
    """The hashes in *text*, one `name:hash` a line. Bad lines are skipped with a warning; the last duplicate counts."""
    hashes: dict[str, str] = {}
    warnings = []
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith(("#", "//")):
            continue
        name, _, digest = line.partition(":")
        if not is_label(name):
            warnings.append(f"{where}, line {number}: expected an agent name before the colon, skipped")
        elif _HASH.fullmatch(digest) is None:
            warnings.append(f"{where}, line {number}: expected a bcrypt hash ($2a$, $2b$, $2x$ or $2y$), skipped")
        else:
            hashes[name] = digest
    return Passwords(hashes, tuple(warnings))


def bcrypt_verifier() -> Verifier:
    """The verifier of the bcrypt package."""
    import bcrypt

    return bcrypt.checkpw
