"""Every error of ours, in one tree. Classes are cut by whose fault it is and what happens next.

ArgocdAgentError
├── ConfigError             a setting is wrong: the program ends with the message and status 1
├── LocalProtocolError      we broke our own rules, a bug: the program stops
├── RemoteProtocolError     the peer sent a broken frame: this session is closed
├── DecodeError             bytes are not what they should be: the caller decides
├── KeyMaterialError        a key, certificate or token is wrong, missing or foreign
├── EventError              about one event; the session lives
│   ├── EventDiscarded      makes no sense here: acked and counted
│   ├── EventRefused        not allowed, or can never work: acked, counted, reported
│   │   └── UndecodableEvent  its envelope can be read, its content cannot
│   └── EventDeferred       cannot be done now: not acked, tried again
│       └── EventBlocked    nor before somebody does something: its owner is told
├── ClusterError            a Kubernetes API answered with a failure
│   ├── NotFound · AlreadyExists · Conflict · Gone
│   ├── Forbidden · Unauthorized · Invalid · BadRequest
│   └── Unavailable         retryable: no answer, too many requests, or an internal error
├── CacheError              a cache (Redis, or our own) failed
│   ├── CacheRefused        it answered with an error: credentials, permissions, memory
│   └── CacheUnavailable    retryable: nobody there, no answer in time, or not now
├── RequestFailed           a live request to an agent came to nothing
│   ├── AgentAway           not connected, or no longer
│   ├── NoAnswer            it did not answer in time
│   └── TooManyRequests · AgentBusy   never sent: the caller, or the agent, has too many already
└── TransportError          between the two programs
    ├── StreamClosed        the stream ended; a new one may be opened
    ├── AuthenticationFailed  the other end does not accept who we are
    └── PeerUnavailable     retryable: nobody there, or not now
"""


class ArgocdAgentError(Exception):
    """Base of all errors of this package. `retryable` says whether doing the same again later may work."""

    retryable = False


class ConfigError(ArgocdAgentError):
    """A setting is missing, unparsable or contradicts another; the message names it."""


class LocalProtocolError(ArgocdAgentError):
    """We drove one of our own state machines wrongly: a bug of ours."""


class RemoteProtocolError(ArgocdAgentError):
    """The peer sent a frame that cannot be read at all; its session ends."""


class DecodeError(ArgocdAgentError):
    """Untrusted bytes are not a value of the expected shape; the message says where."""


class KeyMaterialError(ArgocdAgentError):
    """A key, certificate, CA or token cannot be used; the message says which and why."""


class EventError(ArgocdAgentError):
    """One event could not be dealt with as asked; the session goes on."""


class EventDiscarded(EventError):
    """The event makes no sense at this end; it is acknowledged and counted."""


class EventRefused(EventError):
    """The event is not allowed or can never succeed; it is acknowledged, counted and reported."""


class UndecodableEvent(EventRefused):
    """An event whose content cannot be understood. `envelope` is what could be read of it, for the ack."""

    def __init__(self, message: str, envelope: object) -> None:
        super().__init__(message)
        self.envelope = envelope


class EventDeferred(EventError):
    """The event cannot be carried out now; it is not acknowledged and will be tried again."""

    retryable = True


class EventBlocked(EventDeferred):
    """The event waits for something that a person must do; it is tried again, and its owner is told meanwhile."""


class ClusterError(ArgocdAgentError):
    """A Kubernetes API refused or failed. The message names verb, resource and object.

    `code` is the HTTP status, `reason` the Kubernetes reason (both as the API gave them).
    """

    code = 500

    def __init__(self, message: str, *, reason: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class NotFound(ClusterError):
    """No such object, or no such kind in this cluster (404)."""

    code = 404


class AlreadyExists(ClusterError):
    """An object of that name is there already (409 AlreadyExists)."""

    code = 409


class Conflict(ClusterError):
    """The object has changed since the version that the write was decided on (409 Conflict)."""

    code = 409


class Gone(ClusterError):
    """The version to watch from, or the continue token, is too old (410): list again."""

    code = 410


class Unauthorized(ClusterError):
    """The API does not know who we are (401)."""

    code = 401


class Forbidden(ClusterError):
    """We may not do this (403); the message says which verb on which resource."""

    code = 403


class BadRequest(ClusterError):
    """The API cannot make sense of the request (400, 405, 406, 413, 415)."""

    code = 400


class Invalid(ClusterError):
    """The object fails validation (422)."""

    code = 422


class Unavailable(ClusterError):
    """No answer, or not now (429, 5xx, a broken connection)."""

    code = 503
    retryable = True


class CacheError(ArgocdAgentError):
    """A cache did not do what it was asked. The message names the command and where the cache is."""


class CacheRefused(CacheError):
    """The cache answered with an error; `code` is its first word, such as NOAUTH, NOPERM or OOM."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class CacheUnavailable(CacheError):
    """The cache could not be reached, broke off, or took too long."""


class RequestFailed(ArgocdAgentError):
    """A request to an agent has no answer. `code` is the HTTP status that says so."""

    code = 500


class AgentAway(RequestFailed):
    """The agent is not connected, or its connection ended before the answer (502)."""

    code = 502


class NoAnswer(RequestFailed):
    """The agent did not answer within the deadline (504)."""

    code = 504


class TooManyRequests(RequestFailed):
    """This caller has too many requests under way already; the request was not sent (429)."""

    code = 429
    retryable = True


class AgentBusy(RequestFailed):
    """Too many requests to this agent are waiting already; the request was not sent (503)."""

    code = 503
    retryable = True


class TransportError(ArgocdAgentError):
    """Something between the two programs failed."""


class StreamClosed(TransportError):
    """The event stream ended, by either end or by the network."""

    retryable = True


class AuthenticationFailed(TransportError):
    """The principal does not accept our credentials, mode or version."""

    retryable = True


class PeerUnavailable(TransportError):
    """The peer could not be reached, or does not want us now."""

    retryable = True
