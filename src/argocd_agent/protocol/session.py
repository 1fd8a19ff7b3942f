"""The states of one agent's stream, seen alike from both ends, and which of several streams of an agent counts.

A stream goes from dialling to steady in the order of `TRANSITIONS`; what the table does not list is a bug of ours.
`Takeovers` decides about each new stream of an agent: a new one supersedes the old at once, but a second takeover
within a minute means that two agents use one name, and is held for a while so that they do not chase each other.

Bounded by the number of agents that have an identity: one record each, until `forget`. No clock, no I/O.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from argocd_agent.errors import LocalProtocolError
from argocd_agent.protocol.events import AgentName

TAKEOVER_SECONDS = 60.0  # two takeovers within this are two agents with one identity
HOLD_SECONDS = 10.0


class State(StrEnum):
    """Where a stream stands."""

    CONNECTING = "connecting"  # no stream, dialling or waiting to dial
    AUTHENTICATED = "authenticated"  # the hub knows who the agent is
    HELD = "held"  # the hub keeps a second agent of this name waiting
    RESYNCING = "resyncing"  # open: events flow, and both sides compare what they have
    STEADY = "steady"  # open, and both sides have the same
    CLOSED = "closed"


class Input(Enum):
    """What happens to a stream."""

    AUTHENTICATED = "authenticated"
    HELD = "held"
    OPENED = "opened"
    SETTLED = "settled"  # the comparison has found no difference, or everything it asked for is acked
    DIFFERED = "differed"  # a later comparison has found differences
    CLOSED = "closed"


TRANSITIONS: dict[tuple[State, Input], State] = {
    (State.CONNECTING, Input.AUTHENTICATED): State.AUTHENTICATED,
    (State.AUTHENTICATED, Input.HELD): State.HELD,
    (State.AUTHENTICATED, Input.OPENED): State.RESYNCING,
    (State.RESYNCING, Input.SETTLED): State.STEADY,
    (State.STEADY, Input.SETTLED): State.STEADY,
    (State.STEADY, Input.DIFFERED): State.RESYNCING,
    (State.RESYNCING, Input.DIFFERED): State.RESYNCING,
} | {(state, Input.CLOSED): State.CLOSED for state in State}


def step(state: State, happened: Input) -> State:
    """The state after *happened*. Raises `LocalProtocolError` for what `TRANSITIONS` does not list."""
    after = TRANSITIONS.get((state, happened))
    if after is None:
        expected = ", ".join(sorted(possible.value for at, possible in TRANSITIONS if at is state))
        raise LocalProtocolError(f"stream that is {state}: expected {expected}, found {happened.value}")
    return after


class Decision(StrEnum):
    """What becomes of a new stream."""

    ACCEPT = "accept"  # there is no other
    SUPERSEDE = "supersede"  # accept it and close the one before
    HOLD = "hold"  # keep it waiting for HOLD_SECONDS, then end it UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Takeover:
    """The answer to a new stream. `epoch` is that of the stream that counts; `message` is for people, empty if all is
    well. `addresses`: of the stream before and of the new one, if there are two."""

    decision: Decision
    epoch: int
    message: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(slots=True)
class _Standing:
    """What is known of one agent's streams. `address` is that of the open one, None if there is none."""

    epoch: int = 0
    address: str | None = None
    taken_over_at: float | None = None


class Takeovers:
    """Which stream of each agent counts. Epochs grow with every stream that is accepted, and are never used again."""

    def __init__(self) -> None:
        self._agents: dict[AgentName, _Standing] = {}
        self._epoch = 0

    def joined(self, agent: AgentName, address: str, now: float) -> Takeover:
        """A stream of *agent* has been opened from *address*; unless it is held, it is now the one that counts."""
        standing = self._agents.setdefault(agent, _Standing())
        before = standing.address
        if before is None:
            return self._accept(standing, Decision.ACCEPT, address, ())
        if standing.taken_over_at is not None and now - standing.taken_over_at < TAKEOVER_SECONDS:
            message = (
                f"duplicate identity: agent {agent} is connected from {before} and again from {address};"
                " expected one agent of this name"
            )
            return Takeover(Decision.HOLD, standing.epoch, message, (before, address))
        standing.taken_over_at = now
        return self._accept(standing, Decision.SUPERSEDE, address, (before, address))

    def left(self, agent: AgentName, epoch: int | None = None) -> bool:
        """The stream of *epoch* (None: the one that counts) has ended. False: another one counts by now."""
        standing = self._agents.get(agent)
        if standing is None or standing.address is None or (epoch is not None and epoch != standing.epoch):
            return False
        standing.address = None
        return True

    def is_current(self, agent: AgentName, epoch: int) -> bool:
        """Whether the stream of *epoch* is open and the one that counts."""
        standing = self._agents.get(agent)
        return standing is not None and standing.address is not None and standing.epoch == epoch

    def epoch(self, agent: AgentName) -> int:
        """The epoch of the latest stream of *agent*, 0 if it has had none."""
        standing = self._agents.get(agent)
        return 0 if standing is None else standing.epoch

    def forget(self, agent: AgentName) -> None:
        """*agent* is no longer registered."""
        self._agents.pop(agent, None)

    def _accept(self, standing: _Standing, decision: Decision, address: str, addresses: tuple[str, ...]) -> Takeover:
        # One counter for all: an agent that was forgotten and came back must not get an epoch a second time.
        self._epoch += 1
        standing.epoch, standing.address = self._epoch, address
        return Takeover(decision, standing.epoch, addresses=addresses)
