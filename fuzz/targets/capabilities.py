"""Metadata of a call, as lines `name: value`: what the peer can do; never an error."""

from argocd_agent.protocol.capabilities import PROTOCOL, REFERENCE, announce, peer_from


def check(data: bytes) -> None:
    """Raises AssertionError where an announcement leads out of bounds."""
    lines = data.decode("latin-1").splitlines()
    metadata = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    peer = peer_from(metadata)

    assert peer == REFERENCE or 1 <= peer.protocol <= PROTOCOL
    assert 1 <= peer.window <= 65_536
    assert peer_from(announce(peer.principal_uid, peer.window)).window == peer.window
