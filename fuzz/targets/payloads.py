"""The first byte chooses a payload, the rest is its JSON: a value that is written and read again, or `DecodeError`."""

from argocd_agent.errors import DecodeError
from argocd_agent.wire import antientropy, brake, payloads, requests

SHAPES: tuple[type[payloads.Payload], ...] = (
    payloads.ErrorData,
    payloads.Refusal,
    payloads.ClusterCacheInfo,
    payloads.RequestSyncedResourceList,
    payloads.SyncedResource,
    payloads.RequestUpdate,
    payloads.RequestResourceResync,
    requests.ResourceRequest,
    requests.ResourceResponse,
    requests.RedisRequest,
    requests.RedisResponse,
    requests.ContainerLogRequest,
    requests.ContainerTerminalRequest,
    antientropy.Digest,
    antientropy.DigestEntries,
    brake.HeldReport,
    brake.HeldOrder,
)


def check(data: bytes) -> None:
    """Raises AssertionError where a payload is not read back as it was written."""
    if not data:
        return
    shape = SHAPES[data[0] % len(SHAPES)]
    try:
        payload = payloads.decode(data[1:], shape)
    except DecodeError as error:
        _names(shape, error)
        return
    assert payloads.decode(payloads.encode(payload), shape) == payload


def _names(shape: type[payloads.Payload], error: DecodeError) -> None:
    assert str(error).startswith(f"{shape.__name__}: "), "an error names the payload"
