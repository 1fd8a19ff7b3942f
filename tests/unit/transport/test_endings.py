"""How a stream may end, as the agent sees it."""

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from argocd_agent.errors import TransportError
from argocd_agent.transport.status import error_of_stream


@pytest.mark.feature("A-18")
@pytest.mark.parametrize("code", [code for code in StatusCode if code is not StatusCode.OK])
def test_a_stream_with_any_status_is_made_anew(code: StatusCode) -> None:
    error = error_of_stream(AioRpcError(code, Metadata(), Metadata(), details="why"), "hub:8443")

    assert isinstance(error, TransportError)
    assert str(error).startswith(f"stream with hub:8443 ended: {code.name}: why")
