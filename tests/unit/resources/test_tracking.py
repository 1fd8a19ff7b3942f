"""tracking: what Argo CD's settings say, and what an Application lists."""

from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.errors import DecodeError
from argocd_agent.protocol.names import ANNOTATION_TRACKING_ID
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.resources.tracking import Marking, Method, Ref, group_and_version, marking_from, resources_of
from tests.support.objects import an_application

PART_OF = {"app.kubernetes.io/part-of": "argocd"}
METHOD, LABEL = "application.resourceTrackingMethod", "application.instanceLabelKey"


def settings(data: Any, labels: dict[str, str] | None = None) -> Object:
    metadata = Metadata(name="argocd-cm", namespace="argocd", labels=PART_OF if labels is None else labels)
    return Object(metadata, {} if data is None else {"data": encode(data)})


@pytest.mark.feature("A-81")
@pytest.mark.parametrize(
    ("data", "marking"),
    [
        (None, Marking(Method.ANNOTATION)),
        ({}, Marking(Method.ANNOTATION)),
        ({METHOD: ""}, Marking(Method.ANNOTATION)),
        ({METHOD: "annotation+label", LABEL: "our/app"}, Marking(Method.BOTH, "our/app")),
        ({METHOD: "label"}, Marking(Method.LABEL, "app.kubernetes.io/instance")),
        ({METHOD: "label", LABEL: "our/app"}, Marking(Method.LABEL, "our/app")),
    ],
)
def test_the_settings_say_what_a_tracked_object_looks_like(data: Any, marking: Marking) -> None:
    assert marking_from(settings(data)) == marking


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (settings({METHOD: "both"}), "expected annotation, label, annotation\\+label, found 'both'"),
        (settings({}, labels={}), "expected label app.kubernetes.io/part-of=argocd, found none"),
        (settings([1]), "expected an object in data"),
    ],
)
def test_settings_that_cannot_be_understood_are_named(found: Object, complaint: str) -> None:
    with pytest.raises(DecodeError, match=complaint):
        marking_from(found)


def test_only_the_presence_of_the_mark_counts() -> None:
    annotated = Object(Metadata(annotations={ANNOTATION_TRACKING_ID: ""}), {})
    labelled = Object(Metadata(labels={"our/app": "x"}), {})

    assert Marking(Method.BOTH, "our/app").is_on(annotated)
    assert not Marking(Method.BOTH, "our/app").is_on(labelled)
    assert Marking(Method.LABEL, "our/app").is_on(labelled)


def test_an_application_lists_its_resources_and_odd_entries_are_nobodys() -> None:
    resources = [
        {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
        {"version": "v1", "kind": "Namespace", "name": "shop"},
        {"kind": "Secret"},
        {"kind": 1, "name": "x"},
        "text",
    ]

    listed = resources_of(an_application(status={"resources": resources}))

    assert listed == {Ref("apps", "Deployment", "shop", "web"), Ref("", "Namespace", "", "shop")}
    assert resources_of(an_application(status={"resources": "text"})) == frozenset()
    assert resources_of(an_application()) == frozenset()


def test_an_api_version_has_a_group_or_none() -> None:
    assert (group_and_version("apps/v1"), group_and_version("v1")) == (("apps", "v1"), ("", "v1"))
