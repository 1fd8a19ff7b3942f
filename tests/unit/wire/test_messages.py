"""Messages of the unary calls."""

import pytest

from argocd_agent.errors import DecodeError
from argocd_agent.wire.messages import LoginReply, LoginRequest, PushSummary, RefreshRequest, VersionReply

LOGIN = LoginRequest(
    method="userpass",
    credentials={"clientid": "agent-1", "clientsecret": "hunter2"},
    mode="managed",
    version="0.9.0",
    agent_namespace="argocd",
)
REPLY = LoginReply(access_token="aaa", refresh_token="rrr", version="0.9.0", principal_namespace="argocd")


@pytest.mark.parametrize(
    ("message", "data"),
    [
        (RefreshRequest(refresh_token="r"), b"\n\x01r"),
        (VersionReply(version="v"), b"\n\x01v"),
        (
            LoginReply(access_token="a", refresh_token="r", version="v", principal_namespace="n"),
            b"\n\x01a\x12\x01r\x1a\x01v\x22\x01n",
        ),
        (
            LoginRequest(method="m", credentials={"b": "2", "a": "1"}, mode="o", version="v", agent_namespace="n"),
            b"\n\x01m\x12\x06\n\x01a\x12\x011\x12\x06\n\x01b\x12\x012\x1a\x01o\x22\x01v\x2a\x01n",
        ),
        (PushSummary(result="ok", received=3, processed=2), b"\n\x02ok\x10\x03\x18\x02"),
        (PushSummary(), b""),
    ],
)
def test_message_is_these_bytes_and_these_bytes_are_the_message(
    message: LoginRequest | LoginReply | RefreshRequest | VersionReply | PushSummary, data: bytes
) -> None:
    assert message.encode() == data
    assert type(message).decode(data) == message


def test_unknown_fields_are_ignored() -> None:
    assert VersionReply.decode(b"\n\x01v\x7a\x03new") == VersionReply(version="v")


@pytest.mark.parametrize("shape", [LoginRequest, LoginReply, RefreshRequest, VersionReply, PushSummary])
def test_other_bytes_are_named_with_what_was_expected(
    shape: type[LoginRequest | LoginReply | RefreshRequest | VersionReply | PushSummary],
) -> None:
    with pytest.raises(DecodeError, match=r"expected \w+api\.\w+, found 3 bytes"):
        shape.decode(b"\x0a\xff\xff")


def test_no_token_and_no_credential_is_ever_shown() -> None:
    shown = f"{LOGIN} {REPLY} {RefreshRequest(refresh_token='rrr')}"

    assert not [secret for secret in ("hunter2", "aaa", "rrr") if secret in shown]
