"""Kubernetes' channel protocols for exec ↔ the frames of a terminal. Pure.

Each WebSocket message starts with the byte of its channel (https://kubernetes.io/blog/2024/08/20/websockets-transition/,
and the wire contract, 7.2): 0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize; from `v5.channel.k8s.io` on 255 and a
channel close that channel. How a command ended comes on channel 3, as a Kubernetes Status from v4 on, as text before.

Differences to the reference, on purpose: input that looks like a resize is input where it came on channel 0; 255
closes stdin; the end is said on channel 3, so that a client knows it from a broken connection.
"""

import re
from dataclasses import dataclass

import msgspec

from argocd_agent.codec import decode, encode
from argocd_agent.errors import DecodeError
from argocd_agent.wire.datastreams import ERROR, STDERR, STDIN, TerminalFrame

V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
V3 = "v3.channel.k8s.io"
PROTOCOLS = (V5, V4, V3, "v2.channel.k8s.io", "channel.k8s.io")
"""Best first. A client that names none speaks the last."""

_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_OUTPUT = {STDERR: _STDERR, ERROR: _ERROR}
_LARGEST_SIZE = 65_535  # a terminal's size is 16 bits wide

NON_ZERO_EXIT = "NonZeroExitCode"
_EXIT_CAUSE = "ExitCode"
_EXITED = re.compile(r"command terminated with exit code (\d{1,3})")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. `exit_code` None: it was not that the command ended; `message` says what happened."""

    exit_code: int | None
    message: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the command ended well."""
        return self.exit_code == 0


SUCCESS = Ended(0)


class _Size(msgspec.Struct, frozen=True, rename={"width": "Width", "height": "Height"}):
    width: int
    height: int


class _Operation(msgspec.Struct, frozen=True):
    operation: str
    cols: int = 0
    rows: int = 0


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, frozen=True):
    causes: tuple[_Cause, ...] | None = None


class _Status(msgspec.Struct, frozen=True):
    status: str = ""
    message: str = ""
    reason: str = ""
    details: _Details | None = None


def choose(offered: tuple[str, ...]) -> str | None:
    """The protocol to speak with a client that offers these. None: it offers only what we do not know."""
    if not offered:
        return PROTOCOLS[-1]
    return next((protocol for protocol in PROTOCOLS if protocol in offered), None)


def from_client(message: bytes, uuid: str) -> TerminalFrame | None:
    """What a client sent, for the agent. None: nothing that a terminal has use for."""
    if not message:
        return None
    channel, rest = message[0], message[1:]
    match channel:
        case 0:
            return _input(rest, uuid)
        case 4:
            return _resize(rest, uuid)
        case 255:
            return TerminalFrame(request_uuid=uuid, is_end=True) if rest == b"\x00" else None
        case 1 | 2 | 3:
            return None  # ours to send
    # A client that speaks no channel protocol: the reference takes such messages, and JSON that is a size.
    return (_resize(message, uuid) if message.startswith(b"{") else None) or _input(message, uuid)


def to_client(frame: TerminalFrame) -> bytes | None:
    """Output for a client. None: *frame* has none."""
    if not frame.data or frame.error:
        return None
    return bytes((_OUTPUT.get(frame.stream_type, _STDOUT),)) + frame.data


def ending_to_client(ended: Ended, protocol: str) -> bytes | None:
    """How it ended, for a client that speaks *protocol*. None: that cannot be said in it."""
    if protocol in (V5, V4):
        return bytes((_ERROR,)) + status_of(ended)
    return None if ended.is_success else bytes((_ERROR,)) + ended.message.encode()


def to_pod(frame: TerminalFrame, protocol: str) -> bytes | None:
    """What the hub sent, for a pod. None: nothing that the pod's end has a word for in *protocol*."""
    if frame.is_end:
        return bytes((_CLOSE, _STDIN)) if protocol == V5 else None
    if frame.is_resize:
        return bytes((_RESIZE,)) + encode({"Width": frame.columns, "Height": frame.rows})
    if frame.stream_type == STDIN and frame.data:
        return bytes((_STDIN,)) + frame.data
    return None


def from_pod(message: bytes, protocol: str) -> bytes | Ended | None:
    """Output of a pod's command, or how it ended. None: neither."""
    if not message:
        return None
    match message[0]:
        case 1 | 2:
            return message[1:] or None
        case 3 if len(message) > 1:
            return ended_of(message[1:]) if protocol in (V5, V4) else Ended(None, _text(message[1:]))
    return None


def ended_of(status: bytes) -> Ended:
    """What a Kubernetes Status says about the end of a command. One that cannot be read is a failure."""
    try:
        found = decode(status, _Status, "exec status")
    except DecodeError:
        return Ended(None, _text(status))
    if found.status == "Success":
        return SUCCESS
    causes = (found.details.causes if found.details else None) or ()
    code = next((cause.message for cause in causes if cause.reason == _EXIT_CAUSE), "")
    if found.reason == NON_ZERO_EXIT and _is_code(code):
        return Ended(int(code), f"command terminated with exit code {int(code)}")
    return Ended(None, found.message or found.reason or "the command ended, and nobody said how")


def ended_of_text(error: str) -> Ended:
    """What an agent's error text says. Agents of the reference have no other word for an exit code."""
    match = _EXITED.fullmatch(error)
    return Ended(int(match[1]), error) if match and 0 < int(match[1]) < 256 else Ended(None, error)


def status_of(ended: Ended) -> bytes:
    """The Kubernetes Status for *ended*."""
    if ended.is_success:
        return encode({"metadata": {}, "status": "Success"})
    about: dict[str, object] = {"metadata": {}, "status": "Failure", "message": ended.message}
    if ended.exit_code is None:
        return encode(about | {"reason": "InternalError", "code": 500})
    causes = [{"reason": _EXIT_CAUSE, "message": str(ended.exit_code)}]
    return encode(about | {"reason": NON_ZERO_EXIT, "details": {"causes": causes}})


def _input(data: bytes, uuid: str) -> TerminalFrame | None:
    return TerminalFrame(request_uuid=uuid, data=data, stream_type=STDIN) if data else None


def _resize(data: bytes, uuid: str) -> TerminalFrame | None:
    """Both forms: Kubernetes' own, and the one of Argo CD's web page."""
    size = _size(data)
    if size is None or not all(0 < side <= _LARGEST_SIZE for side in size):
        return None
    return TerminalFrame(request_uuid=uuid, is_resize=True, columns=size[0], rows=size[1])


def _size(data: bytes) -> tuple[int, int] | None:
    try:
        found = decode(data, _Size, "size")
    except DecodeError:
        try:
            asked = decode(data, _Operation, "size")
        except DecodeError:
            return None
        return (asked.cols, asked.rows) if asked.operation == "resize" else None
    return found.width, found.height


def _is_code(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and 0 < int(text) < 256


def _text(data: bytes) -> str:
    return data[:4096].decode("utf-8", "replace")
