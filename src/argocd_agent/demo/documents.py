"""YAML or JSON text → the Kubernetes objects in it. Pure."""

import yaml

from argocd_agent.codec import decode, encode
from argocd_agent.demo.merge import Fields
from argocd_agent.demo.model import Unsupported
from argocd_agent.errors import DecodeError


class _Loader(yaml.SafeLoader):
    """YAML without its timestamps: JSON has none, and Kubernetes reads them as text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # as PyYAML declares it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def parse_documents(text: str, what: str) -> list[Fields]:
    """The objects in *text*, in order; empty documents are skipped. Raises `Unsupported`, naming *what* was read."""
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))  # derived from SafeLoader
        plain = decode(encode([one for one in documents if one is not None]), list[object], what)
    except (yaml.YAMLError, DecodeError, TypeError, ValueError, RecursionError) as error:
        raise Unsupported(f"{what}: not YAML that Kubernetes reads: {' '.join(str(error).split())}") from error
    found: list[Fields] = []
    for document in plain:
        if not isinstance(document, dict):
            raise Unsupported(f"{what}: expected Kubernetes objects, found {type(document).__name__}")
        found.append(document)
    return found
