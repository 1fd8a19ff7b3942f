"""Name patterns, globs and regular expressions: a decision, or the named error."""

import contextlib

from argocd_agent.errors import ConfigError
from argocd_agent.resources.patterns import matches_any


def check(data: bytes) -> None:
    """Raises AssertionError where a plain name does not match itself. Patterns stay short: users write them, and
    Python's regular expressions can take for ever."""
    text = data[:24].decode("utf-8", "replace")
    with contextlib.suppress(ConfigError):
        found = matches_any([text], text)

        assert found or not text.replace("-", "").isalnum()
