"""The real kubectl on the embedded API server: what a person types, and what they get."""

import asyncio
import contextlib
import os
import textwrap
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.embedded.face import serve
from argocd_agent.backends.ports import EVERYTHING, PatchType
from argocd_agent.codec import decode_any, encode
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object
from tests.support.clusters import build_tools

HEALTHY = encode({"status": {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}})
APPLICATION = """\
    apiVersion: argoproj.io/v1alpha1
    kind: Application
    metadata: {name: guestbook, namespace: argocd, labels: {team: a}}
    spec:
      project: default
      destination: {server: "https://kubernetes.default.svc", namespace: guestbook}
      source: {repoURL: "https://example.com/r.git", path: guestbook, targetRevision: main}
    """
DEPLOYMENT = """\
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web, namespace: argocd}
    spec:
      replicas: 2
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
          - {name: web, image: "nginx:1", ports: [{containerPort: 80}], env: [{name: A, value: b}]}
    """


@dataclass
class Kubectl:
    """One kubectl of one cluster, with the namespace `argocd`; every call is a process."""

    program: Path
    folder: Path
    cluster: EmbeddedCluster

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        settings = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBECONFIG": str(self.folder / "kubeconfig")}
        return await asyncio.create_subprocess_exec(
            *(str(self.program), *arguments),
            env=settings | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, *arguments: str, status: int = 0, **environment: str) -> str:
        """What it prints. It must end with *status*."""
        process = await self.start(*arguments, **environment)
        output, _ = await process.communicate()
        text = output.decode()
        assert process.returncode == status, f"kubectl {' '.join(arguments)}: {text}"
        return text

    async def apply(self, text: str, *options: str) -> str:
        return await self.run("apply", *options, "-f", self.file(text))

    def file(self, text: str) -> str:
        """A file with *text*, without its indentation."""
        path = self.folder / "input.yaml"
        path.write_text(textwrap.dedent(text))
        return str(path)

    async def value(self, kind: str, name: str, path: str) -> str:
        return await self.run("get", kind, name, "-o", f"jsonpath={{{path}}}")


@contextlib.asynccontextmanager
async def kubectl_on_a_cluster(folder: Path) -> AsyncIterator[Kubectl]:
    program = build_tools("kubectl") / "kubectl"
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name="argocd")))
    async with serve(cluster) as face:
        face.write_kubeconfig(folder / "kubeconfig", namespace="argocd")
        yield Kubectl(program, folder, cluster)
    await cluster.close()


async def test_get_shows_tables_and_documents(tmp_path: Path) -> None:
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        created = await kubectl.run("create", "-f", kubectl.file(APPLICATION))
        await kubectl.cluster.patch(APPLICATIONS, "argocd", "guestbook", HEALTHY, PatchType.MERGE)
        table = (await kubectl.run("get", "apps")).splitlines()
        wide = (await kubectl.run("get", "app", "-A", "-o", "wide")).splitlines()
        text = await kubectl.run("get", "application", "guestbook", "-o", "yaml")
        document = decode_any(await kubectl.run("get", "app", "guestbook", "-o", "json"))
        selected = await kubectl.run("get", "app", "-l", "team=b")
        named = await kubectl.run("get", "app", "--field-selector", "metadata.name=guestbook", "-o", "name")

    assert created == "application.argoproj.io/guestbook created\n"
    assert [line.split() for line in table] == [
        ["NAME", "SYNC", "STATUS", "HEALTH", "STATUS"],
        ["guestbook", "Synced", "Healthy"],
    ]
    assert wide[0].split() == ["NAMESPACE", "NAME", "SYNC", "STATUS", "HEALTH", "STATUS", "REVISION", "PROJECT"]
    assert wide[1].split() == ["argocd", "guestbook", "Synced", "Healthy", "default"]
    assert "  project: default\n" in text
    assert document["status"]["health"] == {"status": "Healthy"}
    assert selected == "No resources found in argocd namespace.\n"
    assert named == "application.argoproj.io/guestbook\n"


async def test_get_shows_the_readiness_of_workloads(tmp_path: Path) -> None:
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.apply(DEPLOYMENT)
        patch = '{"status":{"readyReplicas":1,"updatedReplicas":2,"availableReplicas":1}}'
        await kubectl.run("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", patch)
        deployments = (await kubectl.run("get", "deploy", "-o", "wide")).splitlines()
        await kubectl.run("run", "one", "--image=nginx")
        pods = (await kubectl.run("get", "pods")).splitlines()

    assert deployments[0].split() == [
        *("NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR")
    ]
    assert deployments[1].split()[:4] == ["web", "1/2", "2", "1"]
    assert deployments[1].split()[5:] == ["web", "nginx:1", "app=web"]
    assert pods[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert pods[1].split()[:4] == ["one", "0/1", "Pending", "0"]


async def test_get_watch_follows(tmp_path: Path) -> None:
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.apply(APPLICATION)
        process = await kubectl.start("get", "app", "-w")
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode().split() for _ in range(2)]
        await kubectl.cluster.patch(APPLICATIONS, "argocd", "guestbook", HEALTHY, PatchType.MERGE)
        lines.append((await process.stdout.readline()).decode().split())
        process.terminate()
        await process.wait()

    assert lines[1:] == [["guestbook"], ["guestbook", "Synced", "Healthy"]]


async def test_describe_shows_the_object_and_its_events(tmp_path: Path) -> None:
    event = """\
        apiVersion: v1
        kind: Event
        metadata: {name: e, namespace: argocd}
        involvedObject: {kind: Application, name: guestbook, namespace: argocd, uid: UID}
        reason: Refreshed
        message: looked again
        type: Normal
        """
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.apply(APPLICATION)
        await kubectl.apply(DEPLOYMENT)
        uid = await kubectl.value("app", "guestbook", ".metadata.uid")
        await kubectl.run("create", "-f", kubectl.file(event.replace("UID", uid)))
        application = await kubectl.run("describe", "app", "guestbook")
        deployment = await kubectl.run("describe", "deploy", "web")
        events = await kubectl.run("events")

    assert "Repo URL:         https://example.com/r.git" in application
    assert "Refreshed" in application
    assert "looked again" in application
    assert "Replicas:               2 desired" in deployment
    assert "application/guestbook".lower() in events.lower()


async def test_create_makes_objects_of_every_generator(tmp_path: Path) -> None:
    """These send protobuf."""
    commands = {
        "namespace team": "namespace/team created",
        "configmap cm --from-literal=a=b": "configmap/cm created",
        "secret generic s --from-literal=p=q": "secret/s created",
        "serviceaccount sa": "serviceaccount/sa created",
        "deployment d --image=nginx --replicas=0 --port=80": "deployment.apps/d created",
        "job j --image=busybox": "job.batch/j created",
        "service clusterip sv --tcp=80:8080": "service/sv created",
        "ingress i --rule=a.example.com/=sv:80": "ingress.networking.k8s.io/i created",
        "role r --verb=get --resource=pods": "role.rbac.authorization.k8s.io/r created",
        "rolebinding rb --role=r --user=u": "rolebinding.rbac.authorization.k8s.io/rb created",
    }
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        printed = {command: (await kubectl.run("create", *command.split())).strip() for command in commands}
        secret = await kubectl.value("secret", "s", ".data.p")
        replicas = await kubectl.value("deployment", "d", ".spec.replicas")
        port = await kubectl.value("service", "sv", ".spec.ports[0].targetPort")

    assert printed == commands
    assert (secret, replicas, port) == ("cQ==", "0", "8080")


async def test_edit_stores_what_the_editor_leaves(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/replicas: 2/replicas: 3/; s/project: default/project: team/" "$1"\n')
    editor.chmod(0o700)
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.apply(APPLICATION)
        await kubectl.apply(DEPLOYMENT)
        for name in ("app/guestbook", "deploy/web"):
            assert "edited" in await kubectl.run("edit", name, KUBE_EDITOR=str(editor))
        project = await kubectl.value("app", "guestbook", ".spec.project")
        replicas = await kubectl.value("deploy", "web", ".spec.replicas")

    assert (project, replicas) == ("team", "3")


async def test_patch_of_each_type(tmp_path: Path) -> None:
    container = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"busybox"}]}}}}'
    replace = '[{"op":"replace","path":"/spec/project","value":"second"}]'
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.apply(APPLICATION)
        await kubectl.apply(DEPLOYMENT)
        await kubectl.run("patch", "app", "guestbook", "--type=merge", "-p", '{"spec":{"project":"first"}}')
        merged = await kubectl.value("app", "guestbook", ".spec.project")
        await kubectl.run("patch", "app", "guestbook", "--type=json", "-p", replace)
        replaced = await kubectl.value("app", "guestbook", ".spec.project")
        await kubectl.run("patch", "deploy", "web", "-p", container)
        containers = await kubectl.value("deploy", "web", ".spec.template.spec.containers[*].name")

    assert (merged, replaced) == ("first", "second")
    assert sorted(containers.split()) == ["side", "web"]


async def test_label_annotate_scale_and_set_image(tmp_path: Path) -> None:
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.apply(DEPLOYMENT)
        await kubectl.run("label", "deploy", "web", "tier=front")
        await kubectl.run("annotate", "deploy", "web", "example.com/note=hi")
        await kubectl.run("scale", "deploy", "web", "--replicas=5")
        await kubectl.run("set", "image", "deploy/web", "web=nginx:2")
        text = await kubectl.run("get", "deploy", "web", "-o", "json")

    deployment = decode_any(text)
    assert deployment["metadata"]["labels"] == {"tier": "front"}
    assert deployment["metadata"]["annotations"]["example.com/note"] == "hi"
    assert deployment["spec"]["replicas"] == 5
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"


async def test_apply_from_the_client_and_on_the_server(tmp_path: Path) -> None:
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        printed = [
            await kubectl.apply(DEPLOYMENT),
            await kubectl.apply(DEPLOYMENT),
            await kubectl.apply(DEPLOYMENT.replace("nginx:1", "nginx:2").replace(", env: [{name: A, value: b}]", "")),
            await kubectl.apply(APPLICATION, "--server-side"),
            await kubectl.apply(APPLICATION.replace("default", "team"), "--server-side"),
        ]
        container = decode_any(await kubectl.value("deploy", "web", ".spec.template.spec.containers[0]"))
        project = await kubectl.value("app", "guestbook", ".spec.project")

    assert [line.rpartition(" ")[2].strip() for line in printed] == [
        *("created", "unchanged", "configured", "serverside-applied", "serverside-applied")
    ]
    assert container["image"] == "nginx:2"
    assert "env" not in container, "what is no longer applied is removed"
    assert project == "team"


async def test_mistakes_are_told(tmp_path: Path) -> None:
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.apply(APPLICATION)
        missing = await kubectl.run("get", "app", "nobody", status=1)
        twice = await kubectl.run("create", "-f", kubectl.file(APPLICATION), status=1)
        misspelled = kubectl.file(APPLICATION.replace("guestbook,", "other,").replace("path:", "pfad:"))
        unknown = await kubectl.run("create", "-f", misspelled, status=1)
        wrong = await kubectl.run("patch", "app", "guestbook", "--type=merge", "-p", '{"spec":{"project":5}}', status=1)

    assert missing == 'Error from server (NotFound): applications.argoproj.io "nobody" not found\n'
    assert 'applications.argoproj.io "guestbook" already exists' in twice
    assert 'unknown field "spec.source.pfad"' in unknown
    assert 'The Application "guestbook" is invalid: spec.project: Invalid value: "integer"' in wrong


async def test_wait_for_a_value_a_condition_and_a_deletion(tmp_path: Path) -> None:
    available = '{"status":{"conditions":[{"type":"Available","status":"True"}]}}'
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.apply(APPLICATION)
        await kubectl.apply(DEPLOYMENT)
        wanted = "--for=jsonpath={.status.health.status}=Healthy"
        async with asyncio.TaskGroup() as group:
            value = group.create_task(kubectl.run("wait", "app/guestbook", wanted, "--timeout=20s"))
            condition = group.create_task(
                kubectl.run("wait", "deploy/web", "--for=condition=Available", "--timeout=20s")
            )
            await kubectl.cluster.patch(APPLICATIONS, "argocd", "guestbook", HEALTHY, PatchType.MERGE)
            await kubectl.run("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", available)
        async with asyncio.TaskGroup() as group:
            deletion = group.create_task(kubectl.run("wait", "app/guestbook", "--for=delete", "--timeout=20s"))
            await kubectl.run("delete", "app", "guestbook")

    assert value.result() == "application.argoproj.io/guestbook condition met\n"
    assert condition.result() == "deployment.apps/web condition met\n"
    assert deletion.result() in ("application.argoproj.io/guestbook condition met\n", "")


async def test_delete_waits_for_finalizers(tmp_path: Path) -> None:
    held = APPLICATION.replace("labels:", "finalizers: [example.com/hold], labels:")
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.apply(held)
        process = await kubectl.start("delete", "app", "guestbook", "--timeout=20s")
        watch = kubectl.cluster.watch(APPLICATIONS, EVERYTHING, "0")
        async with contextlib.aclosing(watch) as events:
            async for event in events:
                if event.object.is_deleting:
                    break
        await kubectl.cluster.patch(
            APPLICATIONS, "argocd", "guestbook", b'{"metadata":{"finalizers":null}}', PatchType.MERGE
        )
        output, _ = await process.communicate()

    assert output.decode() == 'application.argoproj.io "guestbook" deleted from argocd namespace\n'
    assert process.returncode == 0


async def test_delete_of_a_namespace_takes_everything_along(tmp_path: Path) -> None:
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.apply(APPLICATION)
        await kubectl.apply(DEPLOYMENT)
        deleted = await kubectl.run("delete", "ns", "argocd")
        left = await kubectl.run("get", "app,deploy", "-A")
        namespaces = await kubectl.run("get", "ns", "-o", "name")

    assert deleted == 'namespace "argocd" deleted\n'
    assert left == "No resources found\n"
    assert "argocd" not in namespaces


async def test_explain_and_api_resources(tmp_path: Path) -> None:
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        source = await kubectl.run("explain", "application.spec.source")
        strategy = await kubectl.run("explain", "deploy.spec.strategy")
        resources = await kubectl.run("api-resources", "-o", "name")
        version = await kubectl.run("version")

    assert "repoURL\t<string> -required-" in source
    assert "rollingUpdate\t<RollingUpdateDeployment>" in strategy
    assert {"applications.argoproj.io", "deployments.apps", "pods"} <= set(resources.split())
    assert "Server Version: v1.36" in version


async def test_the_real_definitions_of_argo_cd_can_be_applied(tmp_path: Path) -> None:
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        await kubectl.run("apply", "--server-side", "-f", str(build_tools("crds") / "crds"))
        await kubectl.run("wait", "crd/applications.argoproj.io", "--for=condition=Established", "--timeout=10s")
        await kubectl.apply(APPLICATION)
        table = await kubectl.run("get", "apps")
        wrong = await kubectl.run("patch", "app", "guestbook", "--type=merge", "-p", '{"spec":{"project":5}}', status=1)

    assert table.splitlines()[0].split() == ["NAME", "SYNC", "STATUS", "HEALTH", "STATUS"]
    assert "spec.project in body must be of type string" in wrong


@pytest.mark.parametrize("size", [10, 500_000])
async def test_objects_of_any_size_come_back_whole(tmp_path: Path, size: int) -> None:
    async with kubectl_on_a_cluster(tmp_path) as kubectl:
        content = new_object(CONFIGMAPS, Metadata(name="large", namespace="argocd"), data={"a": "x" * size})
        await kubectl.cluster.create(CONFIGMAPS, content)
        shown = await kubectl.value("configmap", "large", ".data.a")

    assert shown == "x" * size
