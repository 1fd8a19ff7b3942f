"""Did you mean …: the known name nearest to one that nobody knows."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name most like *word*, or nothing when none is alike."""
    from difflib import get_close_matches  # only a user's typing error needs it

    matches = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else ""


def unknown(sort: str, word: str, known: Iterable[str]) -> str:
    """`unknown flag --foo: did you mean --fool?`"""
    suggestion = nearest(word, known)
    return f"unknown {sort} {word}" + (f": did you mean {suggestion}?" if suggestion else "")
