"""Tokens: what counts, until when, and for whom."""

import base64
import functools
import json

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from argocd_agent.errors import DecodeError, KeyMaterialError
from argocd_agent.pki.keys import KeyAlgorithm, generate, to_pem
from argocd_agent.pki.subject import Subject, needs_refresh, parse_subject, read_unverified, subject_text
from argocd_agent.pki.tokens import Audience, TokenKey, Verified, must_rotate
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode

NOW = 1_800_000_000.0
AGENT = Subject(AgentName("agent-1"), Mode.MANAGED)


@functools.cache
def a_key(number: int = 0) -> TokenKey:
    return TokenKey.from_pem(to_pem(generate(KeyAlgorithm.RSA, 2048)), "test")


def a_token(audience: Audience = Audience.ACCESS) -> str:
    return a_key().issue_for_agent(audience, AGENT, "id-1", NOW)


def claims_of(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@pytest.mark.feature("P-15", "C-58")
def test_an_access_token_has_the_claims_of_the_contract() -> None:
    assert claims_of(a_token()) == {
        "iss": "argocd-agent-server",
        "aud": ["argocd-agent-server-access"],
        "sub": '{"clientID":"agent-1","mode":"managed"}',
        "nbf": 1_800_000_000,
        "iat": 1_800_000_000,
        "exp": 1_800_000_300,
        "jti": "id-1",
    }


@pytest.mark.feature("P-15")
def test_a_refresh_token_lives_a_day_and_a_resource_proxy_token_for_ever() -> None:
    proxy = a_key().issue(Audience.RESOURCE_PROXY, "agent-1", "id-1", NOW)

    assert claims_of(a_token(Audience.REFRESH))["exp"] == 1_800_086_400
    assert "exp" not in claims_of(proxy)
    assert a_key().verify(proxy, Audience.RESOURCE_PROXY, NOW + 1e9) == Verified("agent-1", None)


@pytest.mark.feature("P-44")
def test_a_resource_proxy_token_names_its_agent_plainly_and_no_end() -> None:
    token = a_key().issue(Audience.RESOURCE_PROXY, "agent-1", "id-1", NOW)

    assert claims_of(token) == {
        "iss": "argocd-agent-server",
        "aud": ["argocd-agent-server-resource-proxy"],
        "sub": "agent-1",
        "nbf": 1_800_000_000,
        "iat": 1_800_000_000,
        "jti": "id-1",
    }
    with pytest.raises(KeyMaterialError, match="expected audience argocd-agent-server-access"):
        a_key().verify(token, Audience.ACCESS, NOW)


@pytest.mark.feature("P-28")
def test_a_token_counts_up_to_its_last_second_and_not_in_the_one_after() -> None:
    token = a_token()

    assert a_key().verify_agent(token, Audience.ACCESS, NOW + 299.9)[0] == AGENT
    with pytest.raises(KeyMaterialError, match="token: expired 0 s ago"):
        a_key().verify_agent(token, Audience.ACCESS, NOW + 300)


def test_a_token_does_not_count_before_its_time() -> None:
    with pytest.raises(KeyMaterialError, match="token: valid in 1 s only"):
        a_key().verify(a_token(), Audience.ACCESS, NOW - 1)


@pytest.mark.feature("P-15")
def test_a_refresh_token_is_no_access_token() -> None:
    with pytest.raises(KeyMaterialError, match="expected audience argocd-agent-server-access"):
        a_key().verify(a_token(Audience.REFRESH), Audience.ACCESS, NOW)


@pytest.mark.feature("P-28")
def test_a_token_of_another_key_is_refused() -> None:
    with pytest.raises(KeyMaterialError, match=r"^token: "):
        a_key(1).verify(a_token(), Audience.ACCESS, NOW)


def test_a_token_with_a_changed_payload_is_refused() -> None:
    header, payload, signature = a_token().split(".")
    forged = (
        base64.urlsafe_b64encode(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).replace(b"agent-1", b"agent-2")
        )
        .decode()
        .rstrip("=")
    )

    with pytest.raises(KeyMaterialError, match=r"^token: "):
        a_key().verify(f"{header}.{forged}.{signature}", Audience.ACCESS, NOW)


@pytest.mark.feature("P-15")
@pytest.mark.parametrize("algorithm", ["HS512", "none", "RS256"])
def test_only_rs512_is_accepted_whatever_the_token_says(algorithm: str) -> None:
    claims = claims_of(a_token())
    key = OctKey.import_key("x" * 64) if algorithm == "HS512" else a_key().key
    if algorithm == "none":
        plain = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
        token = f"{plain}.{a_token().split('.')[1]}."
    else:
        token = jwt.encode({"alg": algorithm}, claims, key, algorithms=[algorithm])

    with pytest.raises(KeyMaterialError, match=r"^token: "):
        a_key().verify(token, Audience.ACCESS, NOW)


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "a.b.c.d", "\udcff.b.c"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(KeyMaterialError, match=r"^token: "):
        a_key().verify(token, Audience.ACCESS, NOW)


def test_a_key_that_is_not_rsa_is_refused_with_its_place() -> None:
    pem = to_pem(generate(KeyAlgorithm.ECDSA_P256))

    with pytest.raises(
        KeyMaterialError, match=r"Secret jwt, jwt.key: expected an RSA key, which RS512 needs, found ECDSA"
    ):
        TokenKey.from_pem(pem, "Secret jwt, jwt.key")


@pytest.mark.feature("P-16")
def test_a_refresh_token_is_replaced_in_its_last_ten_minutes() -> None:
    refresh = Verified("x", NOW + 86_400)

    assert not must_rotate(refresh, NOW + 86_400 - 600)
    assert must_rotate(refresh, NOW + 86_400 - 599)
    assert not must_rotate(Verified("x", None), NOW)


def test_an_agent_reads_its_name_and_the_end_of_a_token_that_it_cannot_verify() -> None:
    seen = read_unverified(a_token())

    assert (seen.subject, seen.expires_at) == (AGENT, NOW + 300)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("a.b", "expected three parts separated by dots, found 2"),
        ("!.e30.x", "expected base64url"),
        ("e30.e30.x", "header"),
        ("eyJhbGciOiJSUzUxMiJ9.e30.x", "claims"),
        ("eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiJ4In0.x", "token subject"),
    ],
)
def test_a_token_that_an_agent_cannot_read_is_refused(token: str, message: str) -> None:
    with pytest.raises(KeyMaterialError, match=message):
        read_unverified(token)


@pytest.mark.feature("A-14")
def test_a_token_is_refreshed_in_its_last_thirty_seconds_and_never_without_an_end() -> None:
    token = read_unverified(a_token())
    endless = read_unverified(a_key().issue(Audience.RESOURCE_PROXY, subject_text(AGENT), "id", NOW))

    assert not needs_refresh(token, NOW + 269)
    assert needs_refresh(token, NOW + 270)
    assert needs_refresh(token, NOW + 1000)
    assert not needs_refresh(endless, NOW + 1e9)


def test_a_subject_survives_its_text_in_either_order_of_keys() -> None:
    assert subject_text(AGENT) == '{"clientID":"agent-1","mode":"managed"}'
    assert parse_subject(subject_text(AGENT)) == AGENT
    assert parse_subject('{"mode":"managed","clientID":"agent-1","x":1}') == AGENT


@pytest.mark.parametrize(
    "text", ["", "agent-1", "{}", '{"clientID":"a"}', '{"clientID":"","mode":"managed"}', '{"clientID":"a","mode":"x"}']
)
def test_a_subject_that_names_no_agent_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match="token subject"):
        parse_subject(text)
