"""credentials: plugins are real programs here, small scripts of the test's own."""

import asyncio
import os
from pathlib import Path

import pytest

from argocd_agent.backends.kubernetes import KubeConfig
from argocd_agent.backends.kubernetes.config import Pem, Plugin, User
from argocd_agent.backends.kubernetes.credentials import TOKEN_FILE_SECONDS, Credentials
from argocd_agent.codec import decode_any
from argocd_agent.errors import Unavailable

pytestmark = pytest.mark.real_time(timeout=20)

V1 = "client.authentication.k8s.io/v1"
EXPIRY = 1_900_000_000.0  # 2030-03-17T17:46:40Z
# Counts its runs, and keeps what it was told.
GIVES_TOKEN = """#!/bin/sh
echo run >> "$COUNT"
printf %s "$KUBERNETES_EXEC_INFO" > "$COUNT.info"
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":
 {"token":"from-plugin","expirationTimestamp":"2030-03-17T17:46:40Z"}}'
"""


class Clock:
    """Wall clock time that stands still until told."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def a_plugin(folder: Path, script: str, api_version: str = V1, *, wants_cluster: bool = False) -> User:
    program = folder / "login"
    program.write_text(script)
    program.chmod(0o700)
    environ = {"PATH": os.defpath, "COUNT": str(folder / "count")}
    hint = "install it from the handbook"
    plugin = Plugin(str(program), api_version, environ=environ, install_hint=hint, wants_cluster=wants_cluster)
    return User(name="alice", plugin=plugin)


def runs(folder: Path) -> int:
    return len((folder / "count").read_text().splitlines())


async def test_a_plugins_token_is_used_until_it_expires(tmp_path: Path) -> None:
    clock = Clock(EXPIRY - 3600)
    credentials = Credentials(KubeConfig("https://x", a_plugin(tmp_path, GIVES_TOKEN)), clock)

    first = await credentials.current()
    await credentials.current()
    runs_before = runs(tmp_path)
    clock.now = EXPIRY
    await credentials.current()

    assert first.authorization == "Bearer from-plugin"
    assert (runs_before, runs(tmp_path)) == (1, 2)


async def test_one_run_serves_all_who_wait(tmp_path: Path) -> None:
    credentials = Credentials(KubeConfig("https://x", a_plugin(tmp_path, GIVES_TOKEN)), Clock())

    got = await asyncio.gather(*(credentials.current() for _ in range(5)))

    assert {credential.authorization for credential in got} == {"Bearer from-plugin"}
    assert runs(tmp_path) == 1


async def test_a_plugin_is_asked_again_when_its_token_was_refused(tmp_path: Path) -> None:
    credentials = Credentials(KubeConfig("https://x", a_plugin(tmp_path, GIVES_TOKEN)), Clock())
    refused = await credentials.current()

    credentials.forget(refused)
    newer = await credentials.current()
    credentials.forget(refused)
    await credentials.current()

    assert newer is not refused
    assert runs(tmp_path) == 2, "what somebody else has obtained since is kept"


async def test_a_plugin_is_told_about_the_cluster_if_it_wants_to_know(tmp_path: Path) -> None:
    user = a_plugin(tmp_path, GIVES_TOKEN, wants_cluster=True)
    config = KubeConfig("https://x:6443", user, ca=Pem(b"PEM"), server_name="api")

    await Credentials(config, Clock()).current()

    info = decode_any((tmp_path / "count.info").read_bytes())
    assert info == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {"server": "https://x:6443", "tls-server-name": "api", "certificate-authority-data": "UEVN"},
        },
    }


async def test_a_plugin_may_give_a_client_certificate(tmp_path: Path) -> None:
    answer = '{"apiVersion":"%s","kind":"ExecCredential","status":{"clientCertificateData":"C","clientKeyData":"K"}}'
    script = f"#!/bin/sh\necho '{answer % V1}'\n"

    credential = await Credentials(KubeConfig("https://x", a_plugin(tmp_path, script)), Clock()).current()

    assert (credential.certificate, credential.key, credential.authorization) == (b"C", b"K", "")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#!/bin/sh\necho 'not logged in' >&2\nexit 3\n", r"failed with status 3: not logged in; install it from"),
        ("#!/bin/sh\necho hello\n", r"expected an ExecCredential"),
        ("#!/bin/sh\necho '{}'\n", r"expected an ExecCredential of .*/v1 with a status"),
        (
            f'#!/bin/sh\necho \'{{"apiVersion":"{V1}","kind":"ExecCredential","status":{{}}}}\'\n',
            r"neither a token nor",
        ),
        ("#!/no/such/interpreter\n", r"cannot be started: No such file or directory; install it from the handbook"),
    ],
)
async def test_a_plugin_that_fails_says_why(script: str, message: str, tmp_path: Path) -> None:
    credentials = Credentials(KubeConfig("https://x", a_plugin(tmp_path, script)), Clock())

    with pytest.raises(Unavailable, match=rf'credential plugin .*/login of user "alice".*{message}'):
        await credentials.current()


async def test_a_plugin_must_answer_in_the_version_it_was_asked_in(tmp_path: Path) -> None:
    user = a_plugin(tmp_path, GIVES_TOKEN, api_version="client.authentication.k8s.io/v1beta1")

    with pytest.raises(Unavailable, match=r"expected an ExecCredential of client.authentication.k8s.io/v1beta1"):
        await Credentials(KubeConfig("https://x", user), Clock()).current()


async def test_a_plugin_that_still_runs_ends_with_us(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    script = f"#!/bin/sh\necho $$ > {started}\nexec cat {started}\n"
    credentials = Credentials(KubeConfig("https://x", a_plugin(tmp_path, script)), Clock())
    waiting = asyncio.create_task(credentials.current())
    pid = int(await asyncio.to_thread(started.read_text))

    await credentials.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    clock = Clock()
    credentials = Credentials(KubeConfig("https://x", User(token_file=str(file))), clock)
    seen = [(await credentials.current()).authorization]
    file.write_text("two")

    for seconds in (TOKEN_FILE_SECONDS - 1, TOKEN_FILE_SECONDS):
        clock.now = seconds
        seen.append((await credentials.current()).authorization)

    assert seen == ["Bearer one", "Bearer one", "Bearer two"]


async def test_a_missing_token_file_is_named_and_picked_up_when_it_comes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    credentials = Credentials(KubeConfig("https://x", User(name="alice", token_file=str(file))), Clock())

    with pytest.raises(Unavailable, match=f'user "alice": cannot read the token file {file}'):
        await credentials.current()
    file.write_text("here")

    assert (await credentials.current()).authorization == "Bearer here"
