"""Schemas of the built-in kinds and of Argo CD's, taken from a real kube-apiserver; see `generate.py`."""

from functools import cache
from importlib import resources

from argocd_agent.backends.embedded.schema import Definitions, ObjectSchema
from argocd_agent.backends.embedded.values import JsonObject
from argocd_agent.codec import decode_any
from argocd_agent.resources.kinds import Api

SHARED = "shared"
"""How names of definitions begin that only save space: subtrees that occur more than once."""


@cache
def _document() -> tuple[dict[str, str], dict[str, JsonObject]]:
    loaded = decode_any(resources.files(__name__).joinpath("schemas.json").read_bytes(), "schemas.json")
    return loaded["kinds"], loaded["definitions"]


@cache
def definitions(is_typed: bool) -> Definitions:
    """All definitions; *is_typed* for kinds that are built in."""
    return Definitions(_document()[1], is_typed)


def schema_of(api: Api, is_typed: bool) -> ObjectSchema:
    """The schema of a kind that is in the data. Raises KeyError for another: a bug."""
    kinds, schemas = _document()
    return ObjectSchema(schemas[kinds[f"{api.api_version}/{api.kind}"]], definitions(is_typed))
