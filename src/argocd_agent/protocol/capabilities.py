"""What a peer can do beyond the Go reference v0.9, which is the empty set.

Both ends announce a protocol number and names in gRPC metadata of Authenticate and Subscribe; each uses the
intersection, and Subscribe's counts. A peer that announces nothing is a Go v0.9 peer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from argocd_agent.protocol.names import (
    METADATA_CAPABILITIES,
    METADATA_PRINCIPAL_UID,
    METADATA_PROTOCOL,
    METADATA_WINDOW,
)

PROTOCOL = 1
WINDOW_OF_REFERENCE = 128  # well below its queue of 1,000, which drops the oldest in silence
WINDOW_DEFAULT = 512


class Capability(StrEnum):
    """One thing that both ends must know for either to use it."""

    DIGEST = "digest"  # anti-entropy by digest trees instead of the reference's resync messages
    HEARTBEAT = "heartbeat"  # heartbeat events both ways
    REFUSED = "refused"  # reports of what could not be applied
    LIVE = "live"  # live requests can be cancelled, watched, answered in pieces, say who asks, and are not acked
    BRAKE = "brake"  # reports of held deletions, and orders about them


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """What the other end announced. `window` is how many un-acked events it accepts."""

    protocol: int = 0
    capabilities: frozenset[Capability] = frozenset()
    window: int = WINDOW_OF_REFERENCE
    principal_uid: str = ""

    @property
    def is_reference(self) -> bool:
        """Whether this is a Go v0.9 peer, for which its quirks must be reproduced."""
        return self.protocol == 0

    def can(self, capability: Capability) -> bool:
        """Whether both ends know *capability*."""
        return capability in self.capabilities


REFERENCE = PeerInfo()


def announce(principal_uid: str = "", window: int = WINDOW_DEFAULT) -> dict[str, str]:
    """The metadata that says what this end can do."""
    metadata = {
        METADATA_PROTOCOL: str(PROTOCOL),
        METADATA_CAPABILITIES: ",".join(sorted(Capability)),
        METADATA_WINDOW: str(window),
    }
    return metadata | ({METADATA_PRINCIPAL_UID: principal_uid} if principal_uid else {})


def peer_from(metadata: Mapping[str, str]) -> PeerInfo:
    """What the peer announced in *metadata*; the Go reference if nothing, or nothing readable."""
    protocol = _number(metadata.get(METADATA_PROTOCOL, ""))
    window = _number(metadata.get(METADATA_WINDOW, ""))
    if not protocol:
        return REFERENCE
    named = {name.strip() for name in metadata.get(METADATA_CAPABILITIES, "").split(",")}
    return PeerInfo(
        protocol=min(protocol, PROTOCOL),
        capabilities=frozenset(capability for capability in Capability if capability in named),
        window=WINDOW_OF_REFERENCE if window is None else min(max(window, 1), 65_536),
        principal_uid=metadata.get(METADATA_PRINCIPAL_UID, ""),
    )


def _number(text: str) -> int | None:
    # Nine digits are more than any of these needs, and int() raises for thousands of them.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
