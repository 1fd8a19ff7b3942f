"""Kubeconfig files for a face. Pure."""

import base64

_TEMPLATE = """\
apiVersion: v1
kind: Config
current-context: {name}
clusters:
  - name: {name}
    cluster:
      server: {server}
{trust}contexts:
  - name: {name}
    context:
      cluster: {name}
      user: {user}
      namespace: {namespace}
users:
  - name: {user}
    user:
      token: {token}
"""


def render(*, server: str, name: str, user: str, token: str, namespace: str, ca: bytes | None) -> str:
    """A kubeconfig with one context. *ca* is PEM; a server with TLS and without it is trusted blindly."""
    trust = ""
    if ca is not None:
        trust = f"      certificate-authority-data: {base64.b64encode(ca).decode()}\n"
    elif server.startswith("https:"):
        trust = "      insecure-skip-tls-verify: true\n"
    return _TEMPLATE.format(server=server, name=name, user=user, token=token, namespace=namespace, trust=trust)
