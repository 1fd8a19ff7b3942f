"""permits: what an AppProject allows on its own cluster."""

from typing import Any

import pytest

from argocd_agent.resources.kinds import APPPROJECTS
from argocd_agent.resources.objects import Metadata, new_object
from argocd_agent.resources.permits import permits

HERE = {"server": "https://kubernetes.default.svc", "namespace": "shop"}
ANY = {"group": "*", "kind": "*"}


@pytest.mark.parametrize(
    ("spec", "namespace", "is_permitted"),
    [
        ({"destinations": [HERE]}, "shop", True),
        ({"destinations": [HERE]}, "other", False),
        ({"destinations": [{"server": "*", "namespace": "*"}]}, "shop", True),
        ({"destinations": [{"name": "in-cluster", "namespace": "sh*"}]}, "shop", True),
        ({"destinations": [{"server": "https://elsewhere", "namespace": "*"}]}, "shop", False),
        ({"destinations": [{"server": "*", "namespace": "*"}, HERE | {"namespace": "!shop"}]}, "shop", False),
        ({"destinations": [HERE], "namespaceResourceWhitelist": []}, "shop", False),
        ({"destinations": [HERE], "namespaceResourceWhitelist": [{"group": "apps", "kind": "Deploy*"}]}, "shop", True),
        ({"destinations": [HERE], "namespaceResourceWhitelist": [{"group": "", "kind": "Pod"}]}, "shop", False),
        ({"destinations": [HERE], "namespaceResourceBlacklist": [{"group": "apps", "kind": "*"}]}, "shop", False),
        ({"destinations": [HERE], "namespaceResourceBlacklist": [{"group": "", "kind": "*"}]}, "shop", True),
        ({"destinations": [HERE]}, "", False),
        ({"destinations": [HERE], "clusterResourceWhitelist": [ANY]}, "", True),
        (
            {
                "destinations": [HERE],
                "clusterResourceWhitelist": [ANY],
                "clusterResourceBlacklist": [{"group": "apps", "kind": "Deployment"}],
            },
            "",
            False,
        ),
        ({"clusterResourceWhitelist": [ANY]}, "", False),
        ({}, "shop", False),
        ({"destinations": "text"}, "shop", False),
        ({"destinations": [{"server": "*", "namespace": "/(/"}]}, "shop", False),
    ],
)
def test_a_project_permits_kinds_and_places(spec: dict[str, Any], namespace: str, is_permitted: bool) -> None:
    project = new_object(APPPROJECTS, Metadata(name="shop"), spec=spec)

    assert permits(project, "apps", "Deployment", namespace) is is_permitted
