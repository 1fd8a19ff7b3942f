"""However a log is read and wherever it is cut, what arrives is the log: nothing lost, nothing twice."""

from hypothesis import given
from hypothesis import strategies as st

from argocd_agent.agent.serve.cursor import Cursor

texts = st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=60)
lines = st.lists(st.tuples(st.integers(0, 3), texts), min_size=1, max_size=40)
cuts = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(1, 200)), max_size=5)


@given(lines=lines, cuts=cuts, keeps=st.booleans())
def test_what_arrives_is_the_log(
    lines: list[tuple[int, str]], cuts: list[tuple[float, float, int]], keeps: bool
) -> None:
    stamps, now = [], 0
    for step, _ in lines:
        now += step * 400_000_000
        stamps.append(now)
    log = [
        (stamp, f"2026-11-21T12:00:{stamp // 10**9:02d}.{stamp % 10**9:09d}Z", text)
        for stamp, (_, text) in zip(stamps, lines, strict=True)
    ]
    wanted = b"".join((f"{stamp} {text}\n" if keeps else f"{text}\n").encode() for _, stamp, text in log)
    cursor, arrived, since = Cursor(keeps_timestamps=keeps), b"", 0

    for sent_part, lost_part, piece in [*cuts, (1.0, 0.0, 64)]:
        served = b"".join(f"{stamp} {text}\n".encode() for at, stamp, text in log if at >= since * 10**9)
        sent = b""
        until = int(len(served) * sent_part)
        for at in range(0, until, piece):
            sent += cursor.feed(served[at : min(at + piece, until)])
        if sent_part == 1.0 and lost_part == 0.0:
            sent += cursor.rest()
        arrived += sent[: len(sent) - int(len(sent) * lost_part)]
        found = cursor.resume(len(arrived))
        since = 0 if found is None else found - 1795262400

    assert arrived == wanted
