"""What to do where the right thing depends on taste: the program's settings, overridden object by object."""

from dataclasses import dataclass
from enum import StrEnum

from argocd_agent.protocol.names import ANNOTATION_ADOPTION_POLICY, ANNOTATION_MISMATCH_POLICY
from argocd_agent.resources.objects import Object


class Mismatch(StrEnum):
    """The source was deleted and made anew under the same name."""

    RECREATE = "recreate"
    UPSERT = "upsert"


class Adoption(StrEnum):
    """An object of that name was on the spoke before any principal."""

    ALWAYS = "always"
    NEVER = "never"


class Recreate(StrEnum):
    """A mirror was deleted on the spoke; what becomes of its status when it is made again."""

    IGNORE = "ignore"
    CLEAR_STATUS = "clear-status"
    RESYNC = "resync"


@dataclass(frozen=True, slots=True)
class Policies:
    """The program's settings."""

    mismatch: Mismatch = Mismatch.RECREATE
    adoption: Adoption = Adoption.ALWAYS
    recreate: Recreate = Recreate.IGNORE

    def mismatch_for(self, incoming: Object) -> Mismatch:
        """The annotation on the incoming object, if it is one of the policies, else the setting."""
        value = incoming.annotations.get(ANNOTATION_MISMATCH_POLICY, "")
        return Mismatch(value) if value in set(Mismatch) else self.mismatch

    def adoption_for(self, held: Object) -> Adoption:
        """The annotation on the object that is there, if it is one of the policies, else the setting."""
        value = held.annotations.get(ANNOTATION_ADOPTION_POLICY, "")
        return Adoption(value) if value in set(Adoption) else self.adoption
