"""`Status` documents: what an answer says when it is not an object. Pure.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/.
"""

from argocd_agent.backends.embedded.faults import Detailed, Details
from argocd_agent.backends.embedded.values import JsonObject
from argocd_agent.errors import ClusterError
from argocd_agent.resources.kinds import Api


def failure(error: ClusterError) -> JsonObject:
    """The Status for *error*; its `code` is the HTTP status."""
    status: JsonObject = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": str(error),
        "reason": error.reason,
        "code": error.code,
    }
    details = _details(error.details) if isinstance(error, Detailed) else {}
    if error.retry_after_seconds is not None:
        details["retryAfterSeconds"] = int(error.retry_after_seconds)
    if details:
        status["details"] = details
    return status


def success(api: Api, name: str, uid: str) -> JsonObject:
    """The Status for an object that is gone."""
    details: JsonObject = {"name": name, "group": api.group, "kind": api.plural, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def _details(details: Details) -> JsonObject:
    named: JsonObject = {"name": details.name, "group": details.group, "kind": details.kind}
    told: JsonObject = {key: value for key, value in named.items() if value}
    if details.causes:
        told["causes"] = [
            {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in details.causes
        ]
    return told
