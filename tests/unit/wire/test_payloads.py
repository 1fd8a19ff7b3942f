"""Payloads as JSON: keys exactly as the reference writes them, and readers that name what is wrong."""

import pytest

from argocd_agent.errors import DecodeError
from argocd_agent.protocol.brake import HeldDeletion, How, Order
from argocd_agent.wire.antientropy import (
    MAX_DIGEST_BUCKETS,
    MAX_DIGEST_ENTRIES,
    Digest,
    DigestEntries,
    DigestEntry,
)
from argocd_agent.wire.brake import MAX_HELD_ITEMS, HeldItem, HeldOrder, HeldReport, read_record, record_of, report_of
from argocd_agent.wire.payloads import (
    ClusterCacheInfo,
    ErrorData,
    Payload,
    Refusal,
    RequestResourceResync,
    RequestSyncedResourceList,
    RequestUpdate,
    SyncedResource,
    decode,
    encode,
)
from argocd_agent.wire.requests import (
    MAX_COMMAND_WORDS,
    MAX_PARAMS,
    ContainerLogRequest,
    ContainerTerminalRequest,
    RedisGet,
    RedisGetReply,
    RedisPing,
    RedisPong,
    RedisPush,
    RedisRequest,
    RedisRequestBody,
    RedisResponse,
    RedisResponseBody,
    RedisSubscribe,
    RedisSubscribeReply,
    ResourceRequest,
    ResourceResponse,
)

WRITTEN: list[tuple[Payload, bytes]] = [
    (
        ErrorData(resource_name="a", resource_namespace="", message="no"),
        b'{"resourceName":"a","resourceNamespace":"","message":"no"}',
    ),
    (
        ClusterCacheInfo(applications_count=0, apis_count=56, resources_count=2**63 - 1),
        b'{"applicationsCount":0,"apisCount":56,"resourcesCount":9223372036854775807}',
    ),
    (RequestSyncedResourceList(), b'{"checksum":null}'),
    (RequestSyncedResourceList(checksum=b""), b'{"checksum":""}'),
    (RequestSyncedResourceList(checksum=b"\xff\xfe"), b'{"checksum":"//4="}'),
    (SyncedResource(name="a", uid="u", kind="Application"), b'{"name":"a","uid":"u","kind":"Application"}'),
    (
        RequestUpdate(name="a", namespace="n", uid="", kind="AppProject"),
        b'{"name":"a","namespace":"n","uid":"","kind":"AppProject","checksum":null}',
    ),
    (RequestResourceResync(), b"{}"),
    (
        ResourceRequest(uuid="u", name="", group="", version="", resource=""),
        b'{"uuid":"u","name":"","group":"","version":"","resource":""}',
    ),
    (
        ResourceRequest(
            uuid="u",
            namespace="n",
            name="a",
            subresource="scale",
            method="PATCH",
            body=b"{}",
            params={"force": "true"},
            group="apps",
            version="v1",
            resource="deployments",
        ),
        (
            b'{"uuid":"u","namespace":"n","name":"a","subresource":"scale","method":"PATCH","body":"e30=",'
            b'"params":{"force":"true"},"group":"apps","version":"v1","resource":"deployments"}'
        ),
    ),
    (ResourceResponse(uuid="u", status=404), b'{"uuid":"u","status":404}'),
    (ResourceResponse(uuid="u", status=200, resource="{}"), b'{"uuid":"u","status":200,"resource":"{}"}'),
    (
        RedisRequest(uuid="u", connection_uuid="c", body=RedisRequestBody(get=RedisGet(key="k"))),
        b'{"uuid":"u","connectionUuid":"c","body":{"get":{"key":"k"}}}',
    ),
    (
        RedisRequest(uuid="u", connection_uuid="c", body=RedisRequestBody(subscribe=RedisSubscribe(channel="x"))),
        b'{"uuid":"u","connectionUuid":"c","body":{"subscribe":{"channel":"x"}}}',
    ),
    (
        RedisRequest(uuid="u", connection_uuid="c", body=RedisRequestBody(ping=RedisPing())),
        b'{"uuid":"u","connectionUuid":"c","body":{"ping":{}}}',
    ),
    (
        RedisResponse(
            uuid="u", connection_uuid="c", body=RedisResponseBody(get=RedisGetReply(cache_hit=False, error=""))
        ),
        b'{"uuid":"u","connectionUuid":"c","body":{"get":{"bytes":null,"cacheHit":false,"error":""}}}',
    ),
    (
        RedisResponse(
            uuid="u",
            connection_uuid="c",
            body=RedisResponseBody(subscribe_response=RedisSubscribeReply(error="")),
        ),
        b'{"uuid":"u","connectionUuid":"c","body":{"subscribeResponse":{"error":""}}}',
    ),
    (
        RedisResponse(
            uuid="u", connection_uuid="c", body=RedisResponseBody(push_from_subscribe=RedisPush(channel_name="x"))
        ),
        b'{"uuid":"u","connectionUuid":"c","body":{"pushFromSubscribe":{"channelName":"x"}}}',
    ),
    (
        RedisResponse(uuid="u", connection_uuid="c", body=RedisResponseBody(pong=RedisPong())),
        b'{"uuid":"u","connectionUuid":"c","body":{"pong":{}}}',
    ),
    (
        ContainerLogRequest(uuid="u", namespace="n", pod_name="p"),
        b'{"uuid":"u","namespace":"n","podName":"p"}',
    ),
    (
        ContainerLogRequest(
            uuid="u",
            namespace="n",
            pod_name="p",
            container="c",
            follow=True,
            tail_lines=0,
            since_seconds=1,
            since_time="2026-08-21T04:05:16Z",
            timestamps=True,
            previous=True,
            insecure_skip_tls_verify_backend=True,
            limit_bytes=2,
        ),
        (
            b'{"uuid":"u","namespace":"n","podName":"p","container":"c","follow":true,"tailLines":0,"sinceSeconds":1,'
            b'"sinceTime":"2026-08-21T04:05:16Z","timestamps":true,"previous":true,"insecureSkipTLSVerifyBackend":true,'
            b'"limitBytes":2}'
        ),
    ),
    (
        ContainerTerminalRequest(
            uuid="u", namespace="n", pod_name="p", container_name="c", tty=True, stdin=True, stdout=True, stderr=False
        ),
        (
            b'{"uuid":"u","namespace":"n","podName":"p","containerName":"c","tty":true,"stdin":true,"stdout":true,'
            b'"stderr":false}'
        ),
    ),
    (
        Digest(tree="spec", buckets=(b"", b"\xff"), principal_uid="p"),
        b'{"tree":"spec","buckets":["","/w=="],"principalUid":"p"}',
    ),
    (
        DigestEntries(tree="status", buckets=(3,), entries=(DigestEntry("application/a/b", "u", b"\x00"),)),
        b'{"tree":"status","buckets":[3],"entries":[["application/a/b","u","AA=="]]}',
    ),
    (HeldReport(count=0), b'{"count":0}'),
    (
        HeldReport(
            count=101,
            since="2026-08-21T04:05:16Z",
            items=(HeldItem(kind="Application", namespace="n", name="a", uid="u", how="delete", since="s"),),
        ),
        (
            b'{"count":101,"since":"2026-08-21T04:05:16Z","items":[{"kind":"Application","namespace":"n","name":"a",'
            b'"uid":"u","how":"delete","since":"s"}]}'
        ),
    ),
    (HeldOrder(order=Order.DISCARD), b'{"order":"discard"}'),
    (
        Refusal(target="application", name="a", reason="Invalid", message="no", event_id="e"),
        b'{"target":"application","name":"a","reason":"Invalid","message":"no","eventId":"e"}',
    ),
]


@pytest.mark.parametrize(("payload", "data"), WRITTEN, ids=lambda value: type(value).__name__)
def test_payload_is_written_with_exactly_these_keys_and_read_back(payload: Payload, data: bytes) -> None:
    assert encode(payload) == data
    assert decode(data, type(payload)) == payload


@pytest.mark.parametrize("data", [b"{}", b'{"checksum":null}', b'{"checksum":""}', b""])
def test_bytes_may_be_absent_null_or_empty_alike(data: bytes) -> None:
    assert not decode(data, RequestSyncedResourceList).checksum


@pytest.mark.parametrize("body", [b"", b',"body":null', b',"body":""'])
def test_body_may_be_absent_null_or_empty_alike(body: bytes) -> None:
    data = b'{"uuid":"u","name":"","group":"","version":"","resource":""' + body + b"}"

    assert not decode(data, ResourceRequest).body


def test_unknown_keys_are_ignored() -> None:
    assert decode(b'{"later":[1],"uuid":"u","status":200}', ResourceResponse) == ResourceResponse(uuid="u", status=200)


@pytest.mark.parametrize(
    ("shape", "data", "words"),
    [
        (ErrorData, b"{}", "ErrorData: Object missing required field `resourceName`"),
        (ErrorData, b"[]", "ErrorData: Expected `object`, got `array`"),
        (ErrorData, b"{", "ErrorData: Input data was truncated"),
        (ErrorData, b'{"resourceName":"\xff"}', "ErrorData: 'utf-8' codec"),
        (ErrorData, b"[" * 100_000, "ErrorData: "),
        (RequestUpdate, b'{"name":5}', "RequestUpdate: Expected `str`, got `int` - at `$.name`"),
        (RequestUpdate, b'{"checksum":"a"}', "RequestUpdate: Invalid base64 encoded string - at `$.checksum`"),
        (ClusterCacheInfo, b'{"apisCount":9223372036854775808}', "ClusterCacheInfo: "),
        (
            RedisRequest,
            b'{"body":{"ping":{},"get":{"key":"k"}}}',
            "RedisRequest: expected exactly one of get, subscribe, ping, found 2 - at `$.body`",
        ),
        (
            RedisResponse,
            b'{"body":{"later":{}}}',
            "RedisResponse: expected exactly one of get, subscribeResponse, pushFromSubscribe, pong, found 0",
        ),
        (Digest, b'{"tree":"root"}', "Digest: Invalid enum value 'root' - at `$.tree`"),
        (DigestEntries, b'{"buckets":[4096]}', "DigestEntries: Expected `int` <= 4095 - at `$.buckets[0]`"),
        (HeldReport, b'{"count":-1}', "HeldReport: Expected `int` >= 0 - at `$.count`"),
        (HeldOrder, b'{"order":"keep"}', "HeldOrder: Invalid enum value 'keep' - at `$.order`"),
        (DigestEntries, b'{"buckets":[-1]}', "DigestEntries: Expected `int` >= 0 - at `$.buckets[0]`"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(shape: type[Payload], data: bytes, words: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(data, shape)

    assert str(caught.value).startswith(words)


def entries(count: int) -> bytes:
    return b'{"tree":"spec","buckets":[],"entries":[' + b",".join([b'["k","u",""]'] * count) + b"]}"


def buckets(count: int) -> bytes:
    return b'{"tree":"spec","buckets":[' + b",".join([b'""'] * count) + b"]}"


def deletions(count: int) -> bytes:
    return b'{"count":0,"items":[' + b",".join([b'{"kind":"","name":"","how":"","since":""}'] * count) + b"]}"


def params(count: int) -> bytes:
    pairs = b",".join(b'"%d":""' % number for number in range(count))
    return b'{"uuid":"","name":"","group":"","version":"","resource":"","params":{' + pairs + b"}}"


def command(count: int) -> bytes:
    words = b",".join([b'""'] * count)
    return (
        b'{"uuid":"","namespace":"","podName":"","containerName":"","tty":true,"stdin":true,"stdout":true,'
        b'"stderr":true,"command":[' + words + b"]}"
    )


def test_a_message_holds_so_much_and_no_more() -> None:
    limits = (
        (DigestEntries, entries, MAX_DIGEST_ENTRIES),
        (Digest, buckets, MAX_DIGEST_BUCKETS),
        (HeldReport, deletions, MAX_HELD_ITEMS),
        (ResourceRequest, params, MAX_PARAMS),
        (ContainerTerminalRequest, command, MAX_COMMAND_WORDS),
    )

    for shape, make, limit in limits:
        assert decode(make(limit), shape)
        with pytest.raises(DecodeError, match=f"{shape.__name__}: Expected .* of length <= {limit}"):
            decode(make(limit + 1), shape)


def test_a_report_counts_all_and_names_the_oldest() -> None:
    held = [
        HeldDeletion("Application", "argocd", f"a{number}", "u", How.CASCADE, f"s{number}") for number in range(150)
    ]

    report = report_of(held)

    assert (report.count, report.since, len(report.items)) == (150, "s0", MAX_HELD_ITEMS)
    assert report.items[1] == HeldItem(
        kind="Application", namespace="argocd", name="a1", uid="u", how="cascade", since="s1"
    )
    assert report_of([]) == HeldReport(count=0)


def test_a_record_is_a_line_for_each_and_read_back() -> None:
    held = (
        HeldDeletion("Application", "argocd", "a", "u", How.DELETE, "2026-08-21T04:05:16Z"),
        HeldDeletion("Repository", "argocd", "é", "", How.REPLACE, "2026-08-21T04:05:17Z"),
    )

    text = record_of(held)

    assert text == (
        '[\n["Application","argocd","a","u","delete","2026-08-21T04:05:16Z"],\n'
        '["Repository","argocd","é","","replace","2026-08-21T04:05:17Z"]\n]'
    )
    assert read_record(text, "record") == held
    assert read_record(record_of([]), "record") == ()
