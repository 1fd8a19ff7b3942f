"""proxying: the environment's proxy variables as Go reads them."""

import pytest

from argocd_agent.backends.kubernetes.proxying import is_bypassed, proxy_for

SERVER = "https://api.example.com:6443"


def test_the_kubeconfigs_proxy_wins_over_the_environment() -> None:
    environ = {"HTTPS_PROXY": "http://other:3128", "NO_PROXY": "*"}

    assert proxy_for(SERVER, "http://mine:3128", environ, "here") == "http://mine:3128"


def test_the_environment_gives_a_proxy_by_scheme() -> None:
    environ = {"https_proxy": "secure:3128", "HTTP_PROXY": "http://plain:3128"}

    assert proxy_for(SERVER, "", environ, "here") == "http://secure:3128"
    assert proxy_for("http://api.example.com", "", environ, "here") == "http://plain:3128"


def test_no_proxy_spares_what_it_lists() -> None:
    assert proxy_for(SERVER, "", {"HTTPS_PROXY": "p:1", "no_proxy": "example.com"}, "here") == ""
    assert proxy_for(SERVER, "", {"HTTPS_PROXY": "p:1", "no_proxy": "example.org"}, "here") == "http://p:1"


@pytest.mark.parametrize(
    ("server", "no_proxy", "expected"),
    [
        (SERVER, "", False),
        (SERVER, "*", True),
        (SERVER, "api.example.com", True),
        (SERVER, "EXAMPLE.com", True),
        (SERVER, ".example.com", True),
        ("https://example.com", ".example.com", False),
        (SERVER, "ample.com", False),
        (SERVER, "api.example.com:6443", True),
        (SERVER, "api.example.com:443", False),
        (SERVER, "x, api.example.com", True),
        ("https://10.96.0.1:443", "10.96.0.0/12", True),
        ("https://10.96.0.1:443", "10.0.0.0/16", False),
        ("https://10.96.0.1:443", "10.96.0.1", True),
        ("https://10.96.0.1", "10.96.0.1:443", True),
        ("https://10.96.0.1", "not/a/range", False),
        ("https://[fd00::1]:6443", "fd00::/8", True),
        ("https://[fd00::1]:6443", "[fd00::1]:6443", True),
        ("https://127.0.0.1:6443", "", True),
        ("https://localhost:6443", "", True),
    ],
)
def test_bypass(server: str, no_proxy: str, expected: bool) -> None:
    assert is_bypassed(server, no_proxy) is expected
