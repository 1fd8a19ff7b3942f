import pytest

from argocd_agent.wire.datastreams import LogFrame, LogReply, TerminalFrame
from argocd_agent.wire.execframes import (
    V4,
    V5,
    Ended,
    choose,
    ended_of,
    ended_of_text,
    ending_to_client,
    from_client,
    from_pod,
    status_of,
    to_client,
    to_pod,
)


def a_frame(**fields: object) -> TerminalFrame:
    return TerminalFrame(**{"request_uuid": "u", **fields})  # type: ignore[arg-type]  # the test says which


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        (b"\x00ls\n", a_frame(data=b"ls\n", stream_type="stdin")),
        (b'\x04{"Width":120,"Height":40}', a_frame(is_resize=True, columns=120, rows=40)),
        (b'{"operation":"resize","cols":80,"rows":24}', a_frame(is_resize=True, columns=80, rows=24)),
        (b'{"Width":80,"Height":24}', a_frame(is_resize=True, columns=80, rows=24)),
        (b'{"operation":"paste"}', a_frame(data=b'{"operation":"paste"}', stream_type="stdin")),
        (b'\x00{"Width":80,"Height":24}', a_frame(data=b'{"Width":80,"Height":24}', stream_type="stdin")),
        (b"\xff\x00", a_frame(is_end=True)),
        (b"\xff\x01", None),
        (b'\x04{"Width":0,"Height":0}', None),
        (b"\x04no size", None),
        (b"\x01not the client's", None),
        (b"\x00", None),
        (b"", None),
    ],
)
@pytest.mark.feature("P-100")
def test_what_a_client_sends_becomes_input_a_size_the_end_of_input_or_nothing(
    message: bytes, frame: TerminalFrame | None
) -> None:
    assert from_client(message, "u") == frame


@pytest.mark.parametrize(("kind", "channel"), [("stdout", 1), ("", 1), ("odd", 1), ("stderr", 2), ("error", 3)])
def test_output_reaches_the_client_on_the_channel_of_its_kind(kind: str, channel: int) -> None:
    assert to_client(a_frame(data=b"x", stream_type=kind)) == bytes((channel,)) + b"x"


def test_the_best_protocol_that_both_know_is_chosen_and_no_offer_means_the_oldest() -> None:
    assert choose((V4, V5)) == V5
    assert choose(()) == "channel.k8s.io"
    assert choose(("base64.channel.k8s.io",)) is None


@pytest.mark.parametrize(
    ("frame", "v5", "v4"),
    [
        (a_frame(data=b"ls", stream_type="stdin"), b"\x00ls", b"\x00ls"),
        (a_frame(is_resize=True, columns=1, rows=2), b'\x04{"Width":1,"Height":2}', b'\x04{"Width":1,"Height":2}'),
        (a_frame(is_end=True), b"\xff\x00", None),
        (a_frame(data=b"x", stream_type="stdout"), None, None),
    ],
)
def test_a_pod_is_sent_input_sizes_and_where_there_is_a_word_for_it_the_end_of_input(
    frame: TerminalFrame, v5: bytes, v4: bytes | None
) -> None:
    assert (to_pod(frame, V5), to_pod(frame, V4)) == (v5, v4)


EXITED_3 = (
    b'{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code",'
    b'"reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}'
)


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"\x01out", b"out"),
        (b"\x02err", b"err"),
        (b'\x03{"status":"Success"}', Ended(0)),
        (b"\x03" + EXITED_3, Ended(3, "command terminated with exit code 3")),
        (
            b'\x03{"status":"Failure","message":"executable file not found in $PATH"}',
            Ended(None, "executable file not found in $PATH"),
        ),
        (b"\x03no JSON", Ended(None, "no JSON")),
        (b"\x01", None),
        (b"\xff\x01", None),
    ],
)
def test_a_pod_says_output_or_how_its_command_ended(message: bytes, found: bytes | Ended | None) -> None:
    assert from_pod(message, V5) == found


def test_an_exit_code_survives_the_way_over_an_agents_error_text_to_the_client() -> None:
    ended = ended_of_text("command terminated with exit code 130")

    assert ended.exit_code == 130
    assert ended_of(status_of(ended)) == ended


@pytest.mark.feature("P-102")
def test_a_missing_shell_reaches_the_client_as_a_failure_with_the_agents_words() -> None:
    ended = ended_of_text('exec: "bash": executable file not found in $PATH')

    found = ending_to_client(ended, V5)

    assert found is not None
    assert found[0] == 3
    assert ended_of(found[1:]) == ended
    assert not ended.is_success


def test_before_v4_an_error_is_text_and_success_is_not_said() -> None:
    assert ending_to_client(Ended(None, "broke"), "channel.k8s.io") == b"\x03broke"
    assert ending_to_client(Ended(0), "channel.k8s.io") is None


def test_frames_are_the_bytes_that_the_wire_contract_gives_them() -> None:
    assert LogFrame("u", b"d", True, "e").encode() == b"\x0a\x01u\x12\x01d\x18\x01\x22\x01e"
    assert LogReply("u", 200, "", 2).encode() == b"\x0a\x01u\x10\xc8\x01\x20\x02"
    assert (
        a_frame(data=b"d", stream_type="s", is_resize=True, rows=1, columns=2, is_end=True, error="e").encode()
        == b"\x0a\x01u\x12\x01d\x1a\x01s\x20\x01\x28\x01\x30\x02\x38\x01\x42\x01e"
    )
