"""Label and field selectors in Kubernetes' syntax: text in, a value with `matches` out.

Labels: `a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b, c)`, `a`, `!a`, `a>1`, `a<1`, joined by commas; all must
hold. A missing label satisfies `!=`, `notin` and `!a`, and nothing else. Fields: `a=b`, `a==b`, `a!=b`, with `\\,`,
`\\=` and `\\\\` as escapes. An empty selector matches everything. Which fields exist is the caller's business.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ and …/field-selectors/.
Pure. Raises `DecodeError` with the API server's words.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from argocd_agent.errors import DecodeError

NAME_PATTERN = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]")
PREFIX_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
PREFIX_LIMIT = 253
_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)")
_SPECIAL = frozenset({"==", "!=", "=", "!", "<", ">", "(", ")", ","})


class Operator(StrEnum):
    """What one requirement asks of a label."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER = "Gt"
    LESS = "Lt"


_COMPARISONS = {
    "=": Operator.IN,
    "==": Operator.IN,
    "!=": Operator.NOT_IN,
    ">": Operator.GREATER,
    "<": Operator.LESS,
    "gt": Operator.GREATER,
    "lt": Operator.LESS,
}
_SETS = {"in": Operator.IN, "notin": Operator.NOT_IN}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label. `values` is empty for Exists and DoesNotExist, one number for Gt and Lt."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case Operator.GREATER | Operator.LESS:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        number = _integer(value or "")
        if number is None:
            return False
        limits = [int(limit) for limit in self.values]
        return all(number > limit if self.operator is Operator.GREATER else number < limit for limit in limits)


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All of `requirements` must hold; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def __bool__(self) -> bool:
        """Whether it selects at all."""
        return bool(self.requirements)

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One condition on one field: its value as text equals, or does not equal, `value`."""

    field: str
    value: str
    is_equal: bool = True


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All of `terms` must hold; none at all matches everything."""

    terms: tuple[FieldTerm, ...] = ()

    def __bool__(self) -> bool:
        """Whether it selects at all."""
        return bool(self.terms)

    def matches(self, value_of: Callable[[str], str]) -> bool:
        """*value_of* gives a field's value as text, empty where it has none."""
        return all((value_of(term.field) == term.value) is term.is_equal for term in self.terms)

    def exact(self, field: str) -> str | None:
        """The value that *field* must have, None when it is free."""
        return next((term.value for term in self.terms if term.field == field and term.is_equal), None)


EVERY_LABEL = LabelSelector()
EVERY_FIELD = FieldSelector()


def parse_labels(text: str) -> LabelSelector:
    """The label selector in *text*. Raises `DecodeError`."""
    if not text.strip():
        return EVERY_LABEL
    return LabelSelector(tuple(_LabelParser(text).requirements()))


def label_selector(labels: Mapping[str, str], expressions: Sequence[Requirement] = ()) -> LabelSelector:
    """A `LabelSelector` object's `matchLabels` and `matchExpressions` as one selector."""
    equal = tuple(Requirement(key, Operator.IN, frozenset({value})) for key, value in sorted(labels.items()))
    return LabelSelector((*equal, *expressions))


def parse_fields(text: str) -> FieldSelector:
    """The field selector in *text*. Raises `DecodeError`."""
    terms = (_field_term(part) for part in _split_fields(text) if part)
    return FieldSelector(tuple(terms))


def is_qualified_name(name: str) -> bool:
    """Whether *name* may be the key of a label: `name` or `prefix.domain/name`."""
    prefix, slash, rest = name.rpartition("/")
    if slash and not (len(prefix) <= PREFIX_LIMIT and PREFIX_PATTERN.fullmatch(prefix)):
        return False
    return NAME_PATTERN.fullmatch(rest) is not None


def is_label_value(value: str) -> bool:
    """Whether *value* may be the value of a label: empty, or at most 63 letters, digits, `-`, `_` and `.`."""
    return not value or NAME_PATTERN.fullmatch(value) is not None


class _LabelParser:
    """Recursive descent over tokens; one token of lookahead, `""` at the end."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._next = 0

    def requirements(self) -> Iterable[Requirement]:
        while True:
            yield self._requirement()
            token = self._take()
            if token == "":
                return
            if token != ",":
                raise DecodeError(f"found '{token}', expected: ',' or 'end of string'")
            if self._peek() in ("", ","):
                raise DecodeError(f"found '{self._peek()}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._take()
            return Requirement(self._key(), Operator.DOES_NOT_EXIST)
        key = self._key()
        token = self._peek()
        if token in ("", ","):
            return Requirement(key, Operator.EXISTS)
        self._take()
        if token in _SETS:
            return Requirement(key, _SETS[token], self._set())
        if token in _COMPARISONS:
            return self._comparison(key, _COMPARISONS[token])
        raise DecodeError(f"unable to parse requirement: found '{token}', expected: in, notin, =, ==, !=, gt, lt")

    def _comparison(self, key: str, operator: Operator) -> Requirement:
        value = "" if self._peek() in _SPECIAL else self._take()
        if operator in (Operator.GREATER, Operator.LESS):
            if _integer(value) is None:
                raise DecodeError(
                    f'values[0][{key}]: Invalid value: "{value}": '
                    "for 'Gt', 'Lt' operators, the value must be an integer"
                )
            return Requirement(key, operator, frozenset({value}))
        return Requirement(key, operator, frozenset({self._value(key, value)}))

    def _set(self) -> frozenset[str]:
        if (token := self._take()) != "(":
            raise DecodeError(f"unable to parse requirement: found '{token}' expected: '('")
        values = set()
        while True:
            values.add(self._value("", "" if self._peek() in _SPECIAL else self._take()))
            token = self._take()
            if token == ")":
                return frozenset(values)
            if token != ",":
                raise DecodeError(f"unable to parse requirement: found '{token}', expected: ',', or ')'")

    def _key(self) -> str:
        token = self._take()
        if token == "" or token in _SPECIAL:
            raise DecodeError(f"unable to parse requirement: found '{token}', expected: identifier")
        if not is_qualified_name(token):
            raise DecodeError(f'unable to parse requirement: key: Invalid value: "{token}": not a qualified name')
        return token

    def _value(self, key: str, value: str) -> str:
        if not is_label_value(value):
            raise DecodeError(
                f'unable to parse requirement: values[0][{key}]: Invalid value: "{value}": not a label value'
            )
        return value

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._next += 1
        return token


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,19}", text) else None


def _split_fields(text: str) -> list[str]:
    """*text* cut at commas that are not escaped; the escapes stay."""
    return [match[0] for match in re.finditer(r"(?:[^,\\]|\\.)+", text)]


def _field_term(part: str) -> FieldTerm:
    match = re.fullmatch(r"((?:[^=!\\]|\\.)*)(!=|==|=)(.*)", part, re.DOTALL)
    if match is None or not match[1]:
        raise DecodeError(f"invalid selector: '{part}'; can't understand '{part}'")
    return FieldTerm(match[1].strip(), _unescape(match[3], part), match[2] != "!=")


def _unescape(value: str, part: str) -> str:
    if re.search(r"(?<!\\)(?:\\\\)*=", value):
        raise DecodeError(f"invalid selector: '{part}'; unescaped '=' in the value")
    if re.search(r"\\(?![\\,=])", re.sub(r"\\\\", "", value)):
        raise DecodeError(f"invalid field selector: invalid escape sequence in '{part}'")
    return re.sub(r"\\([\\,=])", r"\1", value)
