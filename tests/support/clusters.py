"""Real Kubernetes API servers for tests and measurements: one etcd, a kube-apiserver per cluster.

    with real_clusters(folder, count=3) as clusters:      # outside of any event loop
        cluster = clusters[0].connect()                   # our own client, as admin
        clusters[0].kubeconfig                            # for kubectl and the programs

Argo CD's CRDs are there and established, so are the asked-for namespaces. There is no controller-manager, but for
those who start one (`controllers.py`): nothing collects garbage, namespaces never finish deleting, and there are no
default ServiceAccounts. Everything that is started
here ends here, by process group, also when the caller dies. The programs come from `tools/build`; where they are
missing and cannot be built, `ToolsMissing` says why.
"""

import asyncio
import atexit
import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from argocd_agent.backends.kubernetes import KubernetesCluster, load
from argocd_agent.backends.ports import PatchType, Scope
from argocd_agent.codec import decode_any, encode
from argocd_agent.errors import AlreadyExists
from argocd_agent.resources.kinds import APPLICATIONS, APPLICATIONSETS, APPPROJECTS, CRDS, NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.support.authority import Authority

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("etcd", "kube-apiserver", "kubectl", "crds")
READY_SECONDS = 60.0  # about 5 on an idle machine
PROBE_SECONDS = 0.05
TOKEN, TOKEN_USER = "a-token-that-every-api-server-knows", "token-user"  # may do nothing but be known
ROLES = Api("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = Api("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")


class ToolsMissing(Exception):
    """The programs of the cluster lane are not there and cannot be built; the message says why."""


class NotReady(Exception):
    """A program ended, or was not ready in time; the message ends with its last words."""


@dataclass
class Program:
    """One process in a group of its own, with its output in a file."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def is_running_after(self, seconds: float) -> bool:
        """Wait *seconds*, or less when the program ends."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def stop(self) -> None:
        """Kill the group. Twice is fine."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def last_words(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-15:])


@dataclass
class RealCluster:
    """One kube-apiserver. `kubeconfig` is its admin's; tests may stop and start it, its state is in etcd."""

    name: str
    folder: Path
    port: int
    authority: Authority
    arguments: list[str]
    kubeconfig: Path
    program: Program | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def connect(self) -> KubernetesCluster:
        """Our client, as admin. Close it on the loop that used it."""
        return KubernetesCluster(load(str(self.kubeconfig)))

    def start(self) -> None:
        """Start without waiting; see `wait`."""
        self.program = _start(f"kube-apiserver-{self.name}", self.arguments, self.folder)

    def stop(self) -> None:
        """End the API server at once; the port stays ours."""
        if self.program is not None:
            self.program.stop()

    def wait(self) -> None:
        """Return when the server says that it is ready. Raises `NotReady`."""
        assert self.program is not None, "start it first"
        certificate, key = self.folder / "admin.crt", self.folder / "admin.key"
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(certificate, key)
        _wait_until(self.program, lambda: _answers(self.port, "/readyz", context))

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig whose client certificate says *user*; without a RoleBinding they may do nothing."""
        certificate, key = self.authority.issue(self.folder / user, user, groups)
        path = self.folder / f"{user}.kubeconfig"
        path.write_bytes(self.authority.kubeconfig(self.url, self.name, user, certificate, key))
        return path

    async def restricted_user(self, user: str, namespace: str, rules: Sequence[dict[str, list[str]]]) -> Path:
        """A kubeconfig of *user*, who may do in *namespace* what the RBAC *rules* say, and nothing else."""
        path = self.kubeconfig_for(user)
        group = "rbac.authorization.k8s.io"
        about = Metadata(name=user, namespace=namespace)
        role = new_object(ROLES, about, rules=list(rules))
        binding = new_object(
            ROLE_BINDINGS,
            about,
            roleRef={"apiGroup": group, "kind": "Role", "name": user},
            subjects=[{"apiGroup": group, "kind": "User", "name": user}],
        )
        cluster = self.connect()
        try:
            await cluster.create(ROLES, role)
            await cluster.create(ROLE_BINDINGS, binding)
        finally:
            await cluster.close()
        return path

    async def prepare(self, crds: Path, namespaces: Sequence[str]) -> None:
        """Argo CD's CRDs, established, and *namespaces*. What is there already is fine."""
        cluster = self.connect()
        try:
            for api, file in zip(
                (APPLICATIONS, APPPROJECTS, APPLICATIONSETS),
                ("application", "appproject", "applicationset"),
                strict=True,
            ):
                text = (crds / f"{file}-crd.yaml").read_bytes()
                applied = await cluster.patch(CRDS, "", api.resource, text, PatchType.APPLY)
                await _established(cluster, applied)
                await cluster.list(api, limit=1)
            for name in namespaces:
                with contextlib.suppress(AlreadyExists):
                    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))
        finally:
            await cluster.close()


@dataclass
class RealClusters:
    """Several clusters on one etcd. `tools` is the folder of kubectl and the others."""

    clusters: tuple[RealCluster, ...]
    tools: Path
    etcd_port: int

    def __getitem__(self, index: int) -> RealCluster:
        return self.clusters[index]

    def __len__(self) -> int:
        return len(self.clusters)

    def compact(self) -> None:
        """Make etcd forget all versions but the newest."""
        revision = self._etcd("/v3/kv/range", {"key": "AA=="})
        self._etcd("/v3/kv/compaction", {"revision": revision, "physical": True})

    def _etcd(self, path: str, body: dict[str, object]) -> int:
        """Ask etcd's JSON gateway. Returns its revision."""
        connection = http.client.HTTPConnection("127.0.0.1", self.etcd_port, timeout=10)
        connection.request("POST", path, encode(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = decode_any(response.read(), "etcd's answer")
        connection.close()
        assert response.status == 200, f"etcd {path}: {response.status} {answer}"
        return int(answer["header"]["revision"])


@contextlib.contextmanager
def real_clusters(
    folder: Path, count: int = 3, namespaces: Sequence[str] = ("argocd",), tools: Path | None = None
) -> Iterator[RealClusters]:
    """*count* clusters, ready, with their files under *folder*. Not inside an event loop: it runs one of its own.

    Raises `ToolsMissing` and `NotReady`.
    """
    tools = tools or build_tools(*PROGRAMS)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        # Whoever forgets to leave the block leaves no process.
        atexit.register(stack.close)
        stack.callback(atexit.unregister, stack.close)
        authority = Authority(folder)
        (folder / "tokens.csv").write_text(f"{TOKEN},{TOKEN_USER},{TOKEN_USER}\n")
        etcd_port = stack.enter_context(_held_port())
        peer_port = stack.enter_context(_held_port())
        etcd = _start("etcd", _etcd_arguments(tools, folder, etcd_port, peer_port), folder)
        stack.callback(etcd.stop)
        _wait_until(etcd, lambda: _answers(etcd_port, "/readyz", None))
        clusters = tuple(
            _cluster(f"c{index}", folder, tools, authority, stack.enter_context(_held_port()), etcd_port)
            for index in range(count)
        )
        for cluster in clusters:
            stack.callback(cluster.stop)
            cluster.start()
        for cluster in clusters:
            cluster.wait()
        asyncio.run(_prepare(clusters, tools / "crds", namespaces))
        yield RealClusters(clusters, tools, etcd_port)


def build_tools(*programs: str) -> Path:
    """The folder of *programs*, or of all that `tools/build` knows, built if need be. Raises `ToolsMissing`."""
    command = ["bash", str(ROOT / "tools" / "build"), *programs]
    built = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        raise ToolsMissing(
            "tools/build failed, its words are above: the cluster lane needs a Go toolchain ('go' on PATH) to build "
            "Kubernetes, etcd and Argo CD, and Redis, or a cache folder that holds them"
        )
    return Path(built.stdout.strip().splitlines()[-1])


async def _prepare(clusters: Sequence[RealCluster], crds: Path, namespaces: Sequence[str]) -> None:
    async with asyncio.timeout(READY_SECONDS), asyncio.TaskGroup() as group:
        for cluster in clusters:
            group.create_task(cluster.prepare(crds, namespaces), name=f"prepare {cluster.name}")


async def _established(cluster: KubernetesCluster, crd: Object) -> None:
    if _is_established(crd):
        return
    scope = Scope(fields=f"metadata.name={crd.name}")
    async with contextlib.aclosing(cluster.watch(CRDS, scope, crd.version)) as changes:
        async for change in changes:
            if _is_established(change.object):
                return
    raise NotReady(f"{crd.name} was not established before its watch ended")


def _is_established(crd: Object) -> bool:
    conditions = (crd.look("status") or {}).get("conditions") or []
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)


def _cluster(name: str, folder: Path, tools: Path, authority: Authority, port: int, etcd_port: int) -> RealCluster:
    own = folder / name
    own.mkdir(exist_ok=True)
    cluster = RealCluster(
        name, own, port, authority, _apiserver_arguments(name, tools, folder, port, etcd_port), own / "admin.kubeconfig"
    )
    cluster.kubeconfig_for("admin", ["system:masters"])
    return cluster


def _etcd_arguments(tools: Path, folder: Path, port: int, peer_port: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        str(tools / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--socket-reuse-port=true",
        "--unsafe-no-fsync",
        "--auto-compaction-retention=1",
        "--log-level=warn",
    ]


def _apiserver_arguments(name: str, tools: Path, folder: Path, port: int, etcd_port: int) -> list[str]:
    return [
        str(tools / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--etcd-prefix=/{name}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--permit-port-sharing=true",
        "--endpoint-reconciler-type=none",  # a loopback address may not be published
        f"--cert-dir={folder / name}",
        f"--tls-cert-file={folder / 'server.crt'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--client-ca-file={folder / 'ca.crt'}",
        f"--service-account-key-file={folder / 'server.key'}",
        f"--service-account-signing-key-file={folder / 'server.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-cluster-ip-range=10.100.0.0/24",
        "--authorization-mode=Node,RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--allow-privileged=true",
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=3000",
        "--max-mutating-requests-inflight=1000",
        "--disable-admission-plugins=ServiceAccount",
    ]


def _start(name: str, arguments: list[str], folder: Path) -> Program:
    log = folder / f"{name}.log"
    # The kernel ends the program when we die without cleaning up.
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*leash, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    return Program(name, process, log)


@contextlib.contextmanager
def _held_port() -> Iterator[int]:
    """A free port that nobody else is given while we hold it; only a program that asks to share it can listen."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def _wait_until(program: Program, is_ready: Callable[[], bool]) -> None:
    """These programs cannot notify, so they are asked, until a deadline."""
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready():
        if not program.is_running_after(PROBE_SECONDS):
            raise NotReady(f"{program.name} ended with status {program.process.returncode}:\n{program.last_words()}")
        if time.monotonic() > deadline:
            raise NotReady(f"{program.name} was not ready within {READY_SECONDS:.0f} s:\n{program.last_words()}")


def _answers(port: int, path: str, context: ssl.SSLContext | None) -> bool:
    if context is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
