"""Writes docs/reference from the code and the tests. Run by `make docs`; a test holds the pages in step.

One row of `PAGES` for each page: its file, and the function that gives its text.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from argocd_agent.cli import manual
from docs import features

REFERENCE = Path(__file__).parent / "reference"
PAGES: Mapping[str, Callable[[], str]] = {
    "features.md": features.page,
    "settings.md": manual.page,
}


def main() -> None:
    """Write every page, and remove those that are no longer made."""
    REFERENCE.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")
    for path in REFERENCE.glob("*.md"):
        if path.name not in PAGES:
            path.unlink()


if __name__ == "__main__":
    main()
