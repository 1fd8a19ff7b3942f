import base64

import pytest

from argocd_agent.codec import encode
from argocd_agent.demo.merge import Fields
from argocd_agent.demo.model import Unsupported, new_from, owner_of, read_application
from argocd_agent.errors import DecodeError
from argocd_agent.resources.objects import decode_object
from tests.unit.demo.builders import a_config_map, a_deployment, an_application, manifests


def test_manifests_carry_argo_cds_tracking_mark_and_the_destinations_namespace() -> None:
    (manifest,) = manifests(a_deployment("web"))

    made = new_from(manifest)

    assert made.namespace == "shop"
    assert made.annotations["argocd.argoproj.io/tracking-id"] == "guestbook:apps/Deployment:shop/web"
    assert owner_of(made) == "guestbook"


def test_a_namespace_that_a_manifest_names_is_kept() -> None:
    (manifest,) = manifests({**a_config_map(), "metadata": {"name": "x", "namespace": "elsewhere"}})

    assert manifest.key.namespace == "elsewhere"


def test_a_clusters_own_objects_have_no_namespace() -> None:
    (manifest,) = manifests({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})

    assert new_from(manifest).namespace == ""


def test_lists_are_opened_and_of_two_documents_about_one_object_the_last_counts() -> None:
    found = manifests(
        {"kind": "List", "apiVersion": "v1", "items": [a_config_map("a"), a_config_map("b", x="1")]},
        a_config_map("b", x="2"),
    )

    assert [(manifest.key.name, manifest.fields.get("data")) for manifest in found] == [("a", {}), ("b", {"x": "2"})]


def test_string_data_of_a_secret_becomes_data() -> None:
    document: Fields = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"a": "ä"},
        "data": {"b": "Yg=="},
    }

    (manifest,) = manifests(document)

    assert manifest.fields["data"] == {"a": base64.b64encode("ä".encode()).decode(), "b": "Yg=="}
    assert "stringData" not in manifest.fields


def test_status_and_nulls_of_a_manifest_are_dropped() -> None:
    (manifest,) = manifests({**a_config_map(), "status": {"x": 1}, "immutable": None})

    assert set(manifest.fields) == {"apiVersion", "kind", "metadata", "data"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "x"}}, r"Widget \(example.com/v1\)"),
        ({"metadata": {"name": "x"}}, "a document without kind"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, "metadata.name is missing"),
    ],
)
def test_what_cannot_be_applied_is_refused_by_name(document: dict[str, object], said: str) -> None:
    with pytest.raises(Unsupported, match=said):
        manifests(document)  # type: ignore[arg-type]  # any document can stand in a repository


def test_an_application_with_several_sources_or_a_chart_repository_is_refused() -> None:
    for spec in ({"sources": [{"repoURL": "x"}]}, {"source": {"repoURL": "x", "chart": "redis"}}, {}):
        app = read_application(decode_object(encode({"metadata": {"name": "a"}, "spec": spec})))

        with pytest.raises(Unsupported, match="application a"):
            _ = app.source


def test_a_field_of_the_wrong_type_is_named() -> None:
    with pytest.raises(DecodeError, match=r"application /a: spec.*source"):
        read_application(decode_object(encode({"metadata": {"name": "a"}, "spec": {"source": 7}})))


def test_argo_cds_finalizer_is_known_in_its_variants() -> None:
    app = an_application()

    def with_finalizers(*names: str) -> str:
        return read_application(app.object.with_metadata(finalizers=names)).finalizer

    assert with_finalizers("foregroundDeletion") == ""
    assert with_finalizers("x", "resources-finalizer.argocd.argoproj.io") == "resources-finalizer.argocd.argoproj.io"
    assert with_finalizers("resources-finalizer.argocd.argoproj.io/background").endswith("/background")
