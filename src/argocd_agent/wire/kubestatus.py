"""A refusal as a Kubernetes `Status` document: what client-go, kubectl and Argo CD show to people. Pure.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/.
"""

from argocd_agent.codec import encode

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def failure(code: int, message: str) -> bytes:
    """The document for an answer with HTTP status *code*."""
    status: dict[str, object] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    reason = REASONS.get(code)
    return encode(status | {"message": message} | ({"reason": reason} if reason else {}) | {"code": code})
