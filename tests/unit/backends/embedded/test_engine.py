"""What the contract suite does not reach: rules of single kinds, dry runs, field validation, kinds that come and go."""

import pytest

from argocd_agent.backends.embedded.engine import Engine, Validation, WriteOptions
from argocd_agent.backends.embedded.faults import Rejected
from argocd_agent.backends.embedded.kinds import DEPLOYMENTS, PODS
from argocd_agent.backends.embedded.store import Ref
from argocd_agent.backends.ports import PatchType
from argocd_agent.codec import encode
from argocd_agent.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, CRDS, NAMESPACES, SECRETS, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.unit.backends.embedded.builders import (
    NOW,
    SPEC,
    a_configmap,
    a_deployment,
    a_pod,
    an_application,
    an_engine,
    create,
    names,
    with_field,
)

WIDGETS = Api("example.com", "v1", "widgets", "Widget")


def a_definition(**changes: object) -> Object:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **changes}
    names_ = {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names_, "versions": [version]}
    return new_object(CRDS, Metadata(name="widgets.example.com"), spec=spec)


def _secret(**fields: object) -> Object:
    return new_object(SECRETS, Metadata(name="s", namespace="default"), **fields)


def test_time_and_uid_come_from_outside() -> None:
    engine = an_engine()

    created = create(engine, APPLICATIONS, an_application())

    assert created.metadata.creation_timestamp == NOW
    assert created.uid == "uid-5", "four namespaces were there first"


def test_fields_are_stored_in_canonical_form() -> None:
    engine = an_engine()
    untidy = an_application().with_fields(
        {"spec": b'{ "source":{"repoURL":"r"},\n "project" : "p", "destination":{} }'}
    )

    created = create(engine, APPLICATIONS, untidy)

    assert created.fields["spec"] == b'{"destination":{},"project":"p","source":{"repoURL":"r"}}'


def test_the_same_content_in_another_order_is_no_change() -> None:
    engine = an_engine()
    created = create(engine, APPLICATIONS, an_application())
    same = with_field(created, "spec", dict(reversed(SPEC.items())))

    outcome = engine.update(engine.kind(APPLICATIONS), same)

    assert outcome.object is not same
    assert outcome.object.version == created.version


def test_a_dry_run_shows_and_keeps_nothing() -> None:
    engine = an_engine()
    kind, options = engine.kind(CONFIGMAPS), WriteOptions(dry_run=True)
    before = engine.store.version

    shown = engine.create(kind, a_configmap(data={"a": "b"}), options)

    assert shown.object.uid
    assert shown.object.version == ""
    assert (engine.store.version, names(engine, CONFIGMAPS)) == (before, [])


@pytest.mark.parametrize(
    ("validation", "warnings"), [(Validation.WARN, ('unknown field "spec.typo"',)), (Validation.IGNORE, ())]
)
def test_unknown_fields_are_dropped(validation: Validation, warnings: tuple[str, ...]) -> None:
    engine = an_engine()
    obj = an_application(spec={**SPEC, "typo": 1})

    outcome = engine.create(engine.kind(APPLICATIONS), obj, WriteOptions(validation=validation))

    assert "typo" not in outcome.object.look("spec")
    assert outcome.warnings == warnings


def test_strict_validation_refuses_unknown_fields() -> None:
    engine = an_engine()
    obj = an_application(spec={**SPEC, "typo": 1})

    with pytest.raises(BadRequest, match=r'strict decoding error: unknown field "spec\.typo"'):
        engine.create(engine.kind(APPLICATIONS), obj, WriteOptions(validation=Validation.STRICT))


def test_a_wrong_type_in_a_built_in_kind_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match=r"cannot unmarshal string into Go struct field spec\.replicas"):
        create(an_engine(), DEPLOYMENTS, a_deployment(replicas="two"))


def test_invalid_objects_are_told_all_their_faults() -> None:
    with pytest.raises(Rejected) as caught:
        create(an_engine(), APPLICATIONS, an_application("Bad_", spec={"project": 5}))

    fields = [cause.field for cause in caught.value.details.causes]
    assert fields == ["metadata.name", "spec.project", "spec.destination"]


def test_string_data_of_a_secret_becomes_data() -> None:
    created = create(an_engine(), SECRETS, _secret(data={"a": "eA==", "b": "eQ=="}, stringData={"b": "plain"}))

    assert created.look("data") == {"a": "eA==", "b": "cGxhaW4="}
    assert "stringData" not in created.fields
    assert created.look("type") == "Opaque"


def test_a_secret_keeps_its_type() -> None:
    engine = an_engine()
    created = create(engine, SECRETS, _secret(type="example.com/kind"))

    with pytest.raises(Invalid, match=r"type: Invalid value.*field is immutable"):
        engine.update(engine.kind(SECRETS), with_field(created, "type", "Opaque"))


def test_data_that_is_not_base64_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"illegal base64 data in data\[a\]"):
        create(an_engine(), SECRETS, _secret(data={"a": "%"}))


def test_an_immutable_configmap_does_not_change() -> None:
    engine = an_engine()
    created = create(engine, CONFIGMAPS, with_field(a_configmap(data={"a": "1"}), "immutable", True))

    with pytest.raises(Invalid, match="immutable"):
        engine.update(engine.kind(CONFIGMAPS), with_field(created, "data", {"a": "2"}))


def test_data_of_more_than_one_mib_is_invalid() -> None:
    with pytest.raises(Invalid, match="may not be more than 1048576 bytes"):
        create(an_engine(), CONFIGMAPS, a_configmap(data={"a": "x" * (2**20 + 1)}))


def test_an_object_of_more_than_what_etcd_takes_is_refused() -> None:
    source = {"repoURL": "r", "path": "x" * (3 * 2**19)}

    with pytest.raises(BadRequest, match="Request entity too large: limit is 1572864") as caught:
        create(an_engine(), APPLICATIONS, an_application(spec={**SPEC, "source": source}))
    assert caught.value.code == 413


def test_a_deployment_gets_its_defaults() -> None:
    spec = create(an_engine(), DEPLOYMENTS, a_deployment()).look("spec")

    assert spec["replicas"] == 1
    assert spec["strategy"]["type"] == "RollingUpdate"


def test_a_deployment_keeps_its_selector() -> None:
    engine = an_engine()
    created = create(engine, DEPLOYMENTS, a_deployment())
    other = {**created.look("spec"), "selector": {"matchLabels": {"other": "x"}}}

    with pytest.raises(Invalid, match=r"spec\.selector: .*field is immutable"):
        engine.update(engine.kind(DEPLOYMENTS), with_field(created, "spec", other))


def test_a_deployments_status_is_written_apart() -> None:
    engine = an_engine()
    kind = engine.kind(DEPLOYMENTS)
    created = create(engine, DEPLOYMENTS, with_field(a_deployment(), "status", {"replicas": 9}))
    changed = with_field(
        with_field(created, "status", {"replicas": 3}), "spec", {**created.look("spec"), "replicas": 7}
    )

    by_status = engine.update(kind, changed, WriteOptions("status")).object
    by_main = engine.update(kind, with_field(by_status, "status", {"replicas": 4})).object

    assert "status" not in created.fields, "it is dropped when an object is created"
    assert (by_status.look("status"), by_status.look("spec")["replicas"]) == ({"replicas": 3}, 1)
    assert by_status.metadata.generation == created.metadata.generation
    assert by_main.version == by_status.version


def test_a_new_pod_is_pending() -> None:
    assert create(an_engine(), PODS, a_pod("p")).look("status") == {"phase": "Pending"}


def test_the_first_namespaces_cannot_be_deleted() -> None:
    engine = an_engine()

    with pytest.raises(Forbidden, match="this namespace may not be deleted"):
        engine.delete(engine.kind(NAMESPACES), "", "default")


def test_a_cluster_wide_kind_takes_no_namespace() -> None:
    with pytest.raises(BadRequest, match="not namespaced"):
        create(an_engine(), NAMESPACES, new_object(NAMESPACES, Metadata(name="a", namespace="b")))


def test_another_kind_in_the_body_is_refused() -> None:
    with pytest.raises(BadRequest, match='kind: "Widget" does not match the expected "ConfigMap"'):
        create(an_engine(), CONFIGMAPS, with_field(a_configmap(), "kind", "Widget"))


def test_a_custom_kind_is_served_from_its_definition_on() -> None:
    engine = an_engine()
    with pytest.raises(NotFound):
        engine.kind(WIDGETS)

    definition = create(engine, CRDS, a_definition())
    widget = new_object(WIDGETS, Metadata(name="w", namespace="default"), spec={"size": 3, "typo": 1})

    assert create(engine, WIDGETS, widget).look("spec") == {"size": 3}
    assert engine.kind(WIDGETS).row.short == ("wd",)
    conditions = {one["type"]: one["status"] for one in definition.look("status")["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}


def test_a_custom_kind_is_checked_against_its_schema() -> None:
    engine = an_engine()
    create(engine, CRDS, a_definition())

    with pytest.raises(Invalid, match=r"spec\.size"):
        create(engine, WIDGETS, new_object(WIDGETS, Metadata(name="w", namespace="default"), spec={"size": "big"}))


def test_a_new_version_of_a_custom_kind_shows_the_objects_of_the_old() -> None:
    engine = an_engine()
    definition = create(engine, CRDS, a_definition())
    create(engine, WIDGETS, new_object(WIDGETS, Metadata(name="w", namespace="default"), spec={"size": 3}))
    [old] = definition.look("spec")["versions"]
    both = {**definition.look("spec"), "versions": [{**old, "storage": False}, {**old, "name": "v2"}]}

    engine.update(engine.kind(CRDS), with_field(definition, "spec", both))

    newer = engine.kind(Api("example.com", "v2", "widgets", "Widget"))
    assert engine.get(newer, "default", "w").look("apiVersion") == "example.com/v2"


def test_a_definition_must_be_called_after_its_kind() -> None:
    with pytest.raises(Invalid, match=r"must be spec\.names\.plural"):
        create(an_engine(), CRDS, a_definition().with_metadata(name="gadgets.example.com"))


def test_deleting_a_definition_deletes_its_objects_and_withdraws_the_kind() -> None:
    engine = an_engine()
    create(engine, CRDS, a_definition())
    create(engine, WIDGETS, new_object(WIDGETS, Metadata(name="w", namespace="default"), spec={}))

    outcome = engine.delete(engine.kind(CRDS), "", "widgets.example.com")

    assert outcome.is_gone
    with pytest.raises(NotFound):
        engine.kind(WIDGETS)
    assert engine.store.get(Ref(WIDGETS.resource, ("default", "w"))) is None


def test_a_definition_waits_for_objects_with_finalizers() -> None:
    engine = an_engine()
    create(engine, CRDS, a_definition())
    held = Metadata(name="w", namespace="default", finalizers=("a/b",))
    create(engine, WIDGETS, new_object(WIDGETS, held, spec={}))
    widgets = engine.kind(WIDGETS)

    waiting = engine.delete(engine.kind(CRDS), "", "widgets.example.com")
    engine.patch(widgets, "default", "w", {"metadata": {"finalizers": None}}, PatchType.MERGE)

    assert not waiting.is_gone
    assert names(engine, CRDS, None) == []


def _apply(engine: Engine, patch: dict[str, object], name: str = "guestbook") -> Object:
    return engine.patch(engine.kind(APPLICATIONS), "default", name, patch, PatchType.APPLY).object  # type: ignore[arg-type]  # a plain dict is JSON


def test_server_side_apply_makes_and_merges() -> None:
    engine = an_engine()
    first = _apply(engine, {"metadata": {"finalizers": ["a/b"]}, "spec": SPEC})
    second = _apply(engine, {"metadata": {"finalizers": ["c/d"]}, "spec": {"project": "other"}})

    assert first.uid == second.uid
    assert second.metadata.finalizers == ("a/b", "c/d")
    assert second.look("spec") == {**SPEC, "project": "other"}


def test_a_patch_may_not_bring_a_foreign_version() -> None:
    engine = an_engine()
    create(engine, APPLICATIONS, an_application())

    with pytest.raises(Conflict):
        _apply(engine, {"metadata": {"resourceVersion": "1"}})


def test_generated_names_differ_with_the_uid() -> None:
    engine = an_engine()
    wanted = a_configmap().with_metadata(name="", generate_name="run-")

    made = {create(engine, CONFIGMAPS, wanted).name for _ in range(20)}

    assert len(made) == 20
    assert all(len(name) == 9 for name in made)


def test_encoding_of_what_is_stored_has_no_line_breaks() -> None:
    """A watch sends one object a line."""
    spec = b'{"project":\n"default",\n"destination":{}}'

    created = create(an_engine(), APPLICATIONS, an_application().with_fields({"spec": spec}))

    assert b"\n" not in created.encode()
    assert encode("Application") in created.encode()
