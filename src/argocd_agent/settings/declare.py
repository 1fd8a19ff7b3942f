"""A setting, declared in one place: a field of a frozen dataclass whose flag, variable and help follow from it.

    listen_port: int = setting("listen.port", 8443, "Where agents connect.", port)

of a class whose `program` is `principal` gives the flag `--listen-port`, the environment variable
`ARGOCD_PRINCIPAL_LISTEN_PORT` and the key `principal.listen.port` of ConfigMap `argocd-agent-params`. Where the
reference's names are irregular they are written out; an empty name means that there is none.
"""

import dataclasses
from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar, Protocol, TypeVar

from argocd_agent.errors import ConfigError
from argocd_agent.settings.values import Secret, Value

T = TypeVar("T")

_METADATA = "argocd-agent setting"


class Served(Enum):
    """What this version does with a setting."""

    YES = "yes"
    NOT_YET = "not yet"  # recognised; one warning at start names it when it is set


class Check(Protocol):
    """A rule on one value: what is wrong with it, or nothing."""

    def __call__(self, value: Any, /) -> str: ...


class Declared(Protocol):
    """A dataclass whose fields are settings, but for `flags_given`: the flags that stood on the command line."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    program: ClassVar[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Declaration:
    """Everything known about one setting. `guards` is true for what decides who gets in."""

    field: str
    flag: str
    variable: str
    key: str
    default: Any
    help: str
    value: Value[Any]
    short: str
    guards: bool
    served: Served
    check: Check

    @property
    def name(self) -> str:
        """As messages name it: the flag, or the variable where there is no flag."""
        return self.flag or self.variable

    @property
    def default_text(self) -> str:
        """The default as a user would write it."""
        return "" if self.default is None else self.value.show(self.default)


def setting(
    key: str,
    default: T,
    help: str,  # noqa: A002  the word that users of the declaration expect
    value: Value[T],
    *,
    flag: str | None = None,
    variable: str | None = None,
    configmap: str | None = None,
    short: str = "",
    guards: bool = False,
    served: Served = Served.YES,
    check: Check | None = None,
) -> T:
    """A dataclass field that is a setting. Names left at None follow from *key*; empty ones do not exist."""
    half_made = Declaration(
        field="",
        flag="--" + key.replace(".", "-") if flag is None else flag,
        variable=key.replace(".", "_").replace("-", "_").upper() if variable is None else variable,
        key=key if configmap is None else configmap,
        default=default,
        help=help,
        value=value,
        short=short,
        guards=guards,
        served=served,
        check=check or _anything,
    )
    return dataclasses.field(default=default, metadata={_METADATA: half_made})


def declarations(config: type[Declared]) -> tuple[Declaration, ...]:
    """The settings of a dataclass, in the order of its fields, with all names complete."""
    complete = []
    for field in dataclasses.fields(config):
        half_made: Declaration | None = field.metadata.get(_METADATA)
        if half_made is None:
            continue
        complete.append(
            dataclasses.replace(
                half_made,
                field=field.name,
                default=field.default,
                variable=_variable(half_made.variable, config.program),
                key=f"{config.program}.{half_made.key}" if half_made.key else "",
            )
        )
    return tuple(complete)


def verify(config: Declared) -> None:
    """Check every value of *config* by its own rule. Raises `ConfigError`, naming the setting."""
    for declared in declarations(type(config)):
        if wrong := declared.check(getattr(config, declared.field)):
            raise ConfigError(f"{declared.name}: {wrong}")


def not_served(config: Declared) -> tuple[str, ...]:
    """Names of the settings that are away from their default although this version does nothing with them."""
    return tuple(
        declared.name
        for declared in declarations(type(config))
        if declared.served is Served.NOT_YET and getattr(config, declared.field) != declared.default
    )


def at_least(lowest: float, unit: str = "") -> Callable[[float | None], str]:
    """The rule that a number is no less than *lowest*; None is fine."""
    wanted = f"at least {lowest:g}" + (f" {unit}" if unit else "")
    return lambda value: "" if value is None or value >= lowest else f"{value:g} is too little, expected {wanted}"


def more_than_zero(value: float | None) -> str:
    """The rule that a number is positive; None is fine."""
    return "" if value is None or value > 0 else f"{value:g} is too little, expected more than 0"


def a_port(value: int) -> str:
    """The rule for a listener that cannot be switched off."""
    return "" if 1 <= value <= 65535 else f"{value} is not a port (1 to 65535)"


def port_or_zero(value: int) -> str:
    """The rule for a listener that 0 switches off, or puts on a free port."""
    return "" if 0 <= value <= 65535 else f"{value} is not a port (0 to 65535)"


def not_empty(value: str) -> str:
    """The rule that a text is given."""
    return "" if value else "must be given"


def has_secret(declared: Declaration) -> bool:
    """Whether the setting's value must never be shown."""
    return isinstance(declared.default, Secret)


def _anything(value: object, /) -> str:
    return ""


def _variable(name: str, program: str) -> str:
    """Whole names (REDIS_PASSWORD, ARGOCD_…) are written with a leading `=`."""
    if name.startswith("="):
        return name[1:]
    return f"ARGOCD_{program.upper()}_{name}" if name else ""
