"""Checksums computed from the wire contract (its section 12)."""

import base64
import hashlib

from argocd_agent.protocol.events import Target
from argocd_agent.resources.checksum import canonical, spec_checksum
from argocd_agent.resources.kinds import APPLICATION, CONFIGMAPS, Kind
from argocd_agent.resources.objects import Metadata, Object

GPG_KEY = Kind("GPGKey", Target.GPGKEY, CONFIGMAPS, compared=("data",))
SPEC = (
    '{"project":"default","source":{"repoURL":"https://github.com/a/b.git?x=1&y=2","path":"guest<book>",'
    '"targetRevision":"HEAD"},"syncPolicy":{"automated":{"prune":true},"retry":{"limit":5}},'
    '"info":[{"name":"é","value":"a\\tb"}],"destination":{"name":"x"}}'
).encode()
SERIALISED = (
    r'{"info":[{"name":"é","value":"a\tb"}],"project":"default","source":{"path":"guest\u003cbook\u003e",'
    r'"repoURL":"https://github.com/a/b.git?x=1\u0026y=2","targetRevision":"HEAD"},'
    r'"syncPolicy":{"automated":{"prune":true},"retry":{"limit":5}}}'
).encode()


def test_specification_is_serialised_as_go_does() -> None:
    without_destination = SPEC.replace(b',"destination":{"name":"x"}', b"")

    assert canonical(without_destination) == SERIALISED


def test_checksum_of_a_specification() -> None:
    checksum = spec_checksum(Object(Metadata(name="guestbook"), {"spec": SPEC}), APPLICATION)

    assert checksum.hex() == "52b80f3cb7d88891c04c7faaa888b00ef1e4d691a3720c590daf475a9bdb00ef"
    assert base64.b64encode(checksum) == b"UrgPPLfYiJHATH+qqIiwDvHk1pGjcgxZDa9HWpvbAO8="
    assert checksum == hashlib.sha256(SERIALISED).digest()


def test_checksum_of_a_configmap_without_data() -> None:
    checksum = spec_checksum(Object(Metadata(name="argocd-gpg-keys-cm"), {}), GPG_KEY)

    assert checksum.hex() == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
