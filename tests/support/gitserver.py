"""Git repositories over HTTPS: git's own server program behind Python's HTTP server, as Argo CD wants them.

    with git_server(folder, cluster.authority) as git:
        shop = git.repository("shop")
        revision = shop.commit({"app/config.yaml": "…"})      # the whole tree of branch main
        shop.url                                              # https://localhost:PORT/shop.git

Clients trust `git.ca`. Fetches are answered, pushes are not; repositories are written here alone.
"""

import contextlib
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.authority import Authority

HOST = "localhost"
BRANCH = "main"
LARGEST_BODY_BYTES = 1024 * 1024  # of a request: what a client has already, a few lines
GIT_SECONDS = 30.0
IDENTITY = {"NAME": "Test", "EMAIL": "test@git.example", "DATE": "2026-01-01T00:00:00Z"}


@dataclass(frozen=True, slots=True)
class Repository:
    """A bare one. `url` is where clients find it."""

    folder: Path
    url: str

    def commit(self, files: Mapping[str, str], message: str = "a change") -> str:
        """Let `main` hold *files* and nothing else, on top of what was there. Returns the new revision."""
        index = self.folder / "next.index"
        index.unlink(missing_ok=True)
        variables = {"GIT_INDEX_FILE": str(index)}
        for path, text in files.items():
            blob = self._git("hash-object", "-w", "--stdin", text=text)
            self._git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", variables=variables)
        tree = self._git("write-tree", variables=variables)
        parents = [f"-p{self.head}"] if self.head else []
        revision = self._git("commit-tree", tree, *parents, "-m", message)
        self._git("update-ref", f"refs/heads/{BRANCH}", revision)
        return revision

    @property
    def head(self) -> str:
        """The revision of `main`, empty before the first commit."""
        return self._git("for-each-ref", "--format=%(objectname)", f"refs/heads/{BRANCH}")

    def _git(self, *arguments: str, text: str = "", variables: Mapping[str, str] | None = None) -> str:
        who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in IDENTITY.items()}
        done = subprocess.run(
            ["git", f"--git-dir={self.folder}", *arguments],
            input=text,
            env={**_environment(), **who, **(variables or {})},
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(arguments)}: status {done.returncode}: {done.stderr}"
        return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class GitServer:
    """Serves the repositories in `folder`."""

    folder: Path
    port: int
    ca: Path

    def repository(self, name: str) -> Repository:
        """A new one, without a commit."""
        folder = self.folder / f"{name}.git"
        subprocess.run(
            ["git", "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(folder)],
            env=_environment(),
            timeout=GIT_SECONDS,
            check=True,
        )
        return Repository(folder, f"https://{HOST}:{self.port}/{name}.git")


@contextlib.contextmanager
def git_server(folder: Path, authority: Authority) -> Iterator[GitServer]:
    """Serve until the end of the block, with the certificate that *authority* gave to servers."""
    folder.mkdir(parents=True, exist_ok=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.server_certificate, authority.server_key)
    with _Server(folder, context) as server:
        thread = threading.Thread(target=server.serve_forever, name="git server", daemon=True)
        thread.start()
        try:
            yield GitServer(folder, server.server_port, authority.certificate)
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, context: ssl.SSLContext) -> None:
        self.folder = folder
        super().__init__(("127.0.0.1", 0), _Handler)
        # The handshake is the handler's, in its own thread: a client that is slow with it holds up nobody.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news; what git refuses is in the answer."""


class _Handler(BaseHTTPRequestHandler):
    """One request of a client of git, handed to git-http-backend as a CGI program."""

    server: _Server
    timeout = GIT_SECONDS

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length")
        if length is None or int(length) > LARGEST_BODY_BYTES:
            self.send_error(HTTPStatus.LENGTH_REQUIRED, f"expected a body of known length up to {LARGEST_BODY_BYTES}")
            return
        self._answer(self.rfile.read(int(length)))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the method we override
        """Silent."""

    def _answer(self, body: bytes) -> None:
        address = urlsplit(self.path)
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={
                **_environment(),
                "GIT_PROJECT_ROOT": str(self.server.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": address.path,
                "QUERY_STRING": address.query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
            },
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if line)
        status = int(fields.pop("Status", "200" if done.returncode == 0 else "500").split()[0])
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _environment() -> dict[str, str]:
    """Git without the settings of whoever runs the tests."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": os.devnull,
        "LC_ALL": "C",
    }
