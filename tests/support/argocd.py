"""Argo CD on a real API server: its own programs as processes, with what they expect to find in their namespace.

    with argo_cd(tools, folder, kubeconfig, "argocd", WHOLE, trusted={HOST: git.ca}) as argo:
        argo.run("app", "sync", "argocd/shop", "--async")     # the real command line, as the administrator
        argo.ask("GET", "applications/shop")                  # its API, likewise
        argo.stop(Part.CONTROLLER); argo.start(Part.CONTROLLER)

A hub has no application-controller, a spoke has no server. Every installation has a Redis of its own, and its parts
believe that they run in the cluster of their kubeconfig. Everything ends with the block. Not inside a loop.
"""

import asyncio
import contextlib
import http.client
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any

import bcrypt
import yaml

from argocd_agent.backends.kubernetes import KubernetesCluster, load
from argocd_agent.codec import decode_any, encode
from argocd_agent.errors import AlreadyExists
from argocd_agent.resources.kinds import APPPROJECTS, CONFIGMAPS, SECRETS, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.support.programs import LOOPBACK, Running, Said, a_port, run

ADMINISTRATOR, PASSWORD, SECRET_KEY = "admin", "the administrator's password", "a key that signs sessions"
REDIS_PASSWORD = "the-password-of-redis"
CLI = {"ARGOCD_BINARY_NAME": "argocd"}  # the one program is called by name
STARTED_SECONDS = 60.0  # two on an idle machine
ANSWERED_SECONDS = 30.0


class Part(StrEnum):
    """The programs of an installation, by name."""

    REDIS = "redis-server"
    REPOSITORIES = "argocd-repo-server"
    CONTROLLER = "argocd-application-controller"
    SETS = "argocd-applicationset-controller"
    SERVER = "argocd-server"


# Each list in the order in which its parts are started.
WHOLE = (Part.REDIS, Part.REPOSITORIES, Part.CONTROLLER, Part.SETS, Part.SERVER)
HUB = (Part.REDIS, Part.REPOSITORIES, Part.SETS, Part.SERVER)
SPOKE = (Part.REDIS, Part.REPOSITORIES, Part.CONTROLLER)
AUTONOMOUS = (*SPOKE, Part.SETS)  # a spoke that makes its own Applications


@dataclass(frozen=True, slots=True)
class Site:
    """What the parts of one installation must know. *others*: namespaces besides its own that it looks after."""

    tools: Path
    folder: Path
    kubeconfig: Path
    namespace: str
    others: str = ""
    redis_port: int = field(default_factory=a_port)
    repositories_port: int = field(default_factory=a_port)
    server_port: int = field(default_factory=a_port)

    @property
    def redis(self) -> str:
        return f"{LOOPBACK}:{self.redis_port}"

    @property
    def server(self) -> str:
        return f"{LOOPBACK}:{self.server_port}"

    @property
    def repositories(self) -> list[str]:
        """The flags of those who ask the repo-server."""
        return [f"{LOOPBACK}:{self.repositories_port}", "--repo-server-plaintext"]


@dataclass(frozen=True, slots=True)
class _Row:
    """How one part is started, and the words that say that it has."""

    flags: Callable[[Site], list[str]]
    ready: tuple[str, ...]


def _redis(site: Site) -> list[str]:
    return [
        f"--port {site.redis_port}",
        f"--bind {LOOPBACK}",
        f"--dir {site.folder}",
        f"--requirepass {REDIS_PASSWORD}",
        "--save ''",
    ]


def _repo_server(site: Site) -> list[str]:
    return [
        f"--address={LOOPBACK}",
        f"--port={site.repositories_port}",
        f"--metrics-address={LOOPBACK}",
        f"--metrics-port={a_port()}",
        f"--redis={site.redis}",
        "--disable-tls",
    ]


def _controller(site: Site) -> list[str]:
    return [
        f"--namespace={site.namespace}",
        f"--application-namespaces={site.others}",
        f"--metrics-port={a_port()}",
        f"--redis={site.redis}",
        "--repo-server",
        *site.repositories,
    ]


def _sets(site: Site) -> list[str]:
    return [
        f"--namespace={site.namespace}",
        f"--applicationset-namespaces={site.others}",
        "--enable-scm-providers=false",  # it insists that those who serve several namespaces decide this
        f"--metrics-addr={LOOPBACK}:{a_port()}",
        f"--probe-addr={LOOPBACK}:{a_port()}",
        f"--webhook-addr={LOOPBACK}:{a_port()}",
        "--argocd-repo-server",
        *site.repositories,
    ]


def _server(site: Site) -> list[str]:
    return [
        f"--namespace={site.namespace}",
        f"--application-namespaces={site.others}",
        f"--address={LOOPBACK}",
        f"--port={site.server_port}",
        f"--metrics-port={a_port()}",
        f"--staticassets={site.folder}",
        f"--redis={site.redis}",
        "--insecure",
        "--repo-server",
        *site.repositories,
    ]


PARTS: Mapping[Part, _Row] = {
    Part.REDIS: _Row(_redis, ("Ready to accept connections",)),
    Part.REPOSITORIES: _Row(_repo_server, ("is listening on",)),
    Part.CONTROLLER: _Row(_controller, ("subscribed to settings updates",)),
    Part.SETS: _Row(_sets, ("Starting workers",)),
    Part.SERVER: _Row(_server, ("serving on port",)),
}


@dataclass
class ArgoCD:
    """One installation that runs. `programs` are the processes of now, `flags` what tests give a part besides ours."""

    site: Site
    flags: Mapping[Part, Sequence[str]] = field(default_factory=dict)
    programs: dict[Part, Running] = field(default_factory=dict)

    def start(self, part: Part) -> Running:
        """Start *part* and wait until it works. Raises `NotSaid`, with its last words."""
        program = self.programs[part] = Running(
            f"{part} of {self.site.namespace}",
            [*PARTS[part].flags(self.site), *self.flags.get(part, ())],
            variables=self._variables(part),
            command=[str(self.site.tools / ("redis-server" if part is Part.REDIS else "argocd"))],
        )
        program.until_said(*PARTS[part].ready, seconds=STARTED_SECONDS)
        return program

    def stop(self, part: Part) -> None:
        """Kill *part*. Twice is fine."""
        if part in self.programs:
            self.programs.pop(part).kill()

    def run(self, *arguments: str) -> str:
        """What `argocd` says to *arguments*, as the administrator. It must succeed."""
        said = self.try_to(*arguments)
        assert said.status == 0, f"argocd {arguments[0]}: status {said.status}: {said.err}{said.out}"
        return said.out

    def try_to(self, *arguments: str) -> Said:
        """The same, however it ends."""
        return run(self.command, [*arguments, *self._logged_in()], CLI)

    def keep_running(self, *arguments: str) -> Running:
        """The same, not waited for."""
        return Running("argocd", [*arguments, *self._logged_in()], variables=CLI, command=self.command)

    @property
    def command(self) -> list[str]:
        """The command line."""
        return [str(self.site.tools / "argocd")]

    def _logged_in(self) -> list[str]:
        """The flags of those who have a session."""
        configuration = self.site.folder / "argocd.yaml"
        flags = [f"--config={configuration}", "--plaintext"]
        if not configuration.exists():
            account = [f"--username={ADMINISTRATOR}", f"--password={PASSWORD}"]
            said = run(self.command, ["login", self.site.server, *account, *flags], CLI)
            assert said.status == 0, f"argocd login: status {said.status}: {said.err}{said.out}"
        return flags

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What its API answers under /api/v1 to the administrator. It must succeed."""
        return self._request(method, path, body, {"Authorization": f"Bearer {self.token()}"})

    def token(self) -> str:
        """A session of the administrator's."""
        return str(self._request("POST", "session", {"username": ADMINISTRATOR, "password": PASSWORD}, {})["token"])

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        connection = http.client.HTTPConnection(LOOPBACK, self.site.server_port, timeout=ANSWERED_SECONDS)
        try:
            content = {"Content-Type": "application/json", **headers}
            connection.request(method, f"/api/v1/{path}", encode(body or {}), content)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        assert response.status == HTTPStatus.OK, f"{method} {path}: {response.status} {answer.decode()}"
        answered: dict[str, Any] = decode_any(answer, f"Argo CD's answer to {method} {path}")
        return answered

    def _variables(self, part: Part) -> dict[str, str]:
        folder = self.site.folder
        return {
            "ARGOCD_BINARY_NAME": part,
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_TLS_DATA_PATH": str(folder / "tls"),
            "ARGOCD_SSH_DATA_PATH": str(folder / "ssh"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "KUBECONFIG": str(self.site.kubeconfig),
            "PATH": f"{self.site.tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "REDIS_PASSWORD": REDIS_PASSWORD,
            "TMPDIR": str(folder / "tmp"),
        }


@contextlib.contextmanager
def argo_cd(
    tools: Path,
    folder: Path,
    kubeconfig: Path,
    namespace: str,
    parts: Sequence[Part],
    *,
    trusted: Mapping[str, Path],
    others: str = "",
    flags: Mapping[Part, Sequence[str]] | None = None,
) -> Iterator[ArgoCD]:
    """*parts* of Argo CD in *namespace*, which exists, and for the namespaces that the patterns *others* name.

    *trusted* are the CAs of Git servers, by host. One of *flags* that a part is given by us as well counts instead of
    ours. Raises `NotSaid`, with a program's last words.
    """
    for name in ("tls", "ssh", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for host, ca in trusted.items():
        shutil.copyfile(ca, folder / "tls" / host)
    asyncio.run(_furnish(kubeconfig, _furniture(namespace, tools / "argocd-config")))
    argo = ArgoCD(Site(tools, folder, kubeconfig, namespace, others), flags or {})
    try:
        for part in parts:
            argo.start(part)
        yield argo
    finally:
        for part in reversed(parts):
            argo.stop(part)


async def _furnish(kubeconfig: Path, wanted: Sequence[tuple[Api, Object]]) -> None:
    """What is there stays."""
    cluster = KubernetesCluster(load(str(kubeconfig)))
    try:
        for api, obj in wanted:
            with contextlib.suppress(AlreadyExists):
                await cluster.create(api, obj)
    finally:
        await cluster.close()


def _furniture(namespace: str, configuration: Path) -> list[tuple[Api, Object]]:
    """The objects of Argo CD's installation that its programs read."""

    def about(name: str) -> Metadata:
        return Metadata(name=name, namespace=namespace, labels={"app.kubernetes.io/part-of": "argocd"})

    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode()
    account = {"admin.password": hashed, "admin.passwordMtime": "2026-01-01T00:00:00Z", "server.secretkey": SECRET_KEY}
    project = {
        "sourceRepos": ["*"],
        "sourceNamespaces": ["*"],
        "destinations": [{"name": "*", "namespace": "*", "server": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    }
    contents = [yaml.safe_load(file.read_text()) for file in sorted(configuration.glob("*-cm.yaml"))]
    return [
        (SECRETS, new_object(SECRETS, about("argocd-secret"), stringData=account)),
        (SECRETS, new_object(SECRETS, about("argocd-redis"), stringData={"auth": REDIS_PASSWORD})),
        (APPPROJECTS, new_object(APPPROJECTS, Metadata(name="default", namespace=namespace), spec=project)),
        *(
            (CONFIGMAPS, new_object(CONFIGMAPS, about(one["metadata"]["name"]), data=one.get("data")))
            for one in contents
        ),
    ]
