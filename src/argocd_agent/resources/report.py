"""What becomes visible on an object that a peer could not apply, or whose deletion is held.

An Application gets a condition of a type of ours, which survives status updates; Argo CD shows it. Any other kind gets
an annotation: a JSON object from reporter to message, since several agents may refuse one project. A message is cut
at `MAX_MESSAGE` characters, and of one object at most `MAX_REPORTERS` reporters are kept: what more of them say stands
in Events only. Each function gives the changed object, or None where it says so already.
"""

from argocd_agent.codec import decode, encode
from argocd_agent.errors import DecodeError
from argocd_agent.protocol.names import ANNOTATION_REFUSED, CONDITION_DELETION_HELD, CONDITION_REFUSED
from argocd_agent.resources.application import with_conditions, without_condition
from argocd_agent.resources.kinds import APPLICATION
from argocd_agent.resources.objects import Object

THE_PRINCIPAL = "the principal"  # as a reporter; an agent's name has no spaces
MAX_MESSAGE = 1000
MAX_REPORTERS = 64


def refusal_sentence(kind_name: str, reporter: str, message: str) -> str:
    """What people are told: who cannot apply what, and why."""
    who = "The principal" if reporter == THE_PRINCIPAL else f"Agent {reporter}"
    return f"{who} cannot apply this {kind_name}: {_cut(message)}"


def with_refusal(obj: Object, kind_name: str, reporter: str, message: str) -> Object | None:
    """*obj*, of the kind of that name in `resources.kinds`, saying what *reporter* refused; healed if *message* is
    empty."""
    if kind_name == APPLICATION.name:
        sentence = refusal_sentence(kind_name, reporter, message) if message else ""
        return _with_condition(obj, CONDITION_REFUSED, sentence)
    known = _refusals(obj)
    told = {name: text for name, text in known.items() if name != reporter}
    if message and (reporter in known or len(told) < MAX_REPORTERS):
        told[reporter] = _cut(message)
    text = encode(dict(sorted(told.items()))).decode() if told else None
    return None if text == obj.annotations.get(ANNOTATION_REFUSED) else obj.with_annotations({ANNOTATION_REFUSED: text})


def with_deletion_held(obj: Object, message: str) -> Object | None:
    """The Application *obj* saying that its deletion is held; no longer, if *message* is empty."""
    return _with_condition(obj, CONDITION_DELETION_HELD, message)


def _with_condition(obj: Object, kind: str, message: str) -> Object | None:
    status = obj.look("status")
    if _says(status, kind) == ([message] if message else []):
        return None
    bare = without_condition(status, kind)
    said = with_conditions(bare, [{"type": kind, "message": message}]) if message else bare
    return obj.with_fields({"status": encode(said)})


def _says(status: object, kind: str) -> list[object]:
    conditions = status.get("conditions") if isinstance(status, dict) else None
    found = conditions if isinstance(conditions, list) else []
    return [one.get("message") for one in found if isinstance(one, dict) and one.get("type") == kind]


def _refusals(obj: Object) -> dict[str, str]:
    """What stands there; nothing where somebody wrote something else."""
    try:
        return decode(obj.annotations.get(ANNOTATION_REFUSED, "{}"), dict[str, str], ANNOTATION_REFUSED)
    except DecodeError:
        return {}


def _cut(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
