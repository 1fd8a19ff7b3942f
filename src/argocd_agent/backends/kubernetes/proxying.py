"""Which proxy leads to a server: the kubeconfig's `proxy-url`, else the environment's, as Go's HTTP client reads them.

Upper case names are looked at before lower case ones. HTTP and HTTPS proxies only: a SOCKS proxy is refused by name.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from argocd_agent.errors import ConfigError


def proxy_for(server: str, proxy_url: str, environ: Mapping[str, str], where: str) -> str:
    """The URL of the proxy for *server*, empty for none. Raises `ConfigError`, naming *where* it was asked for."""
    chosen, source = proxy_url, f"{where}: proxy-url"
    if not chosen:
        name = "HTTPS_PROXY" if server.startswith("https://") else "HTTP_PROXY"
        chosen, source = _variable(environ, name), name
        if not chosen or is_bypassed(server, _variable(environ, "NO_PROXY")):
            return ""
    if "://" not in chosen:
        chosen = f"http://{chosen}"
    parts = urlsplit(chosen)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f'{source}: expected the URL of an http or https proxy, found scheme "{parts.scheme}"')
    return chosen


def is_bypassed(server: str, no_proxy: str) -> bool:
    """Whether *server* is on the *no_proxy* list: hosts, `.domains`, addresses, CIDR ranges, with or without ports.

    The machine itself is never reached through a proxy.
    """
    parts = urlsplit(server)
    host = (parts.hostname or "").lower()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_covers(entry.strip().lower(), host, address, port) for entry in no_proxy.split(",") if entry.strip())


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _covers(entry: str, host: str, address: _Address | None, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry and address is not None:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, digits = entry.rpartition(":")
    if colon and digits.isdigit() and _address(entry) is None:
        if int(digits) != port:
            return False
        entry = name.strip("[]")
    if address is not None:
        return _address(entry) == address
    if entry.startswith("."):  # subdomains only, as Go has it
        return host.endswith(entry)
    return host == entry or host.endswith(f".{entry.removeprefix('*.')}")


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.lower(), "")
