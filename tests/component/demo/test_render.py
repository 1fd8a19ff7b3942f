"""A folder of a repository becomes objects, by the tool that it needs."""

import asyncio
import shutil
from pathlib import Path

import pytest

from argocd_agent.demo.merge import text_at
from argocd_agent.demo.model import Directory, Helm, HelmParameter, Source, Unsupported
from argocd_agent.demo.render import Rendered, Which, render

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"
CHART = "apiVersion: v2\nname: demo\nversion: 0.1.0\n"


def write(folder: Path, **texts: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text)


def rendered(checkout: Path, source: Source, which: Which = shutil.which) -> Rendered:
    return asyncio.run(render(checkout, source, "guestbook", "shop", which))


def names(found: Rendered) -> list[str]:
    return [text_at(document, "metadata", "name") for document in found.documents]


def test_a_plain_folder_gives_its_yaml_and_json_files_in_order(tmp_path: Path) -> None:
    write(tmp_path / "app", b__yaml=CONFIG_MAP.format(name="b"), a__yml=CONFIG_MAP.format(name="a"), README__md="# no")
    write(tmp_path / "app", c__json='{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}')
    write(tmp_path / "app" / "below", d__yaml=CONFIG_MAP.format(name="d"))

    flat = rendered(tmp_path, Source(path="app"))
    deep = rendered(tmp_path, Source(path="app", directory=Directory(recurse=True)))

    assert flat.type == "Directory"
    assert names(flat) == ["a", "b", "c"]
    assert names(deep) == ["a", "b", "d", "c"]


@pytest.mark.parametrize("path", ["missing", "../outside", "/"])
def test_a_path_that_is_not_a_folder_of_the_repository_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "checkout").mkdir()

    with pytest.raises(Unsupported, match="app path does not exist"):
        rendered(tmp_path / "checkout", Source(path=path))


@pytest.mark.parametrize(
    ("file", "text", "missing"),
    [("Chart__yaml", CHART, "needs the program helm"), ("kustomization__yaml", "", "kustomize or kubectl")],
)
def test_a_tool_that_this_machine_lacks_is_named(tmp_path: Path, file: str, text: str, missing: str) -> None:
    write(tmp_path / "app", **{file: text})

    with pytest.raises(Unsupported, match=missing):
        rendered(tmp_path, Source(path="app"), which=lambda _: None)


def test_a_kustomization_is_built(tmp_path: Path) -> None:
    if not (shutil.which("kustomize") or shutil.which("kubectl")):
        pytest.skip("neither kustomize nor kubectl on this machine")
    write(
        tmp_path / "app",
        kustomization__yaml="namePrefix: big-\nresources: [a.yaml]\n",
        a__yaml=CONFIG_MAP.format(name="a"),
    )

    found = rendered(tmp_path, Source(path="app"))

    assert (found.type, names(found)) == ("Kustomize", ["big-a"])


def test_a_tools_complaint_is_passed_on(tmp_path: Path) -> None:
    if not (shutil.which("kustomize") or shutil.which("kubectl")):
        pytest.skip("neither kustomize nor kubectl on this machine")
    write(tmp_path / "app", kustomization__yaml="resources: [absent.yaml]\n")

    with pytest.raises(Unsupported, match=r"absent\.yaml"):
        rendered(tmp_path, Source(path="app"))


def test_a_chart_is_rendered_with_its_values(tmp_path: Path) -> None:
    if not shutil.which("helm"):
        pytest.skip("no helm on this machine")
    write(tmp_path / "app", Chart__yaml=CHART)
    write(tmp_path / "app" / "templates", a__yaml=CONFIG_MAP.format(name="{{ .Release.Name }}-{{ .Values.size }}"))
    helm = Helm(values="size: small", parameters=(HelmParameter(name="size", value="big"),))

    found = rendered(tmp_path, Source(path="app", helm=helm))

    assert (found.type, names(found)) == ("Helm", ["guestbook-big"])


def test_a_value_file_outside_of_the_repository_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "checkout" / "app", Chart__yaml=CHART)

    with pytest.raises(Unsupported, match="outside of the repository"):
        rendered(
            tmp_path / "checkout",
            Source(path="app", helm=Helm(value_files=("../../secret.yaml",))),
            which=lambda tool: tool,
        )
