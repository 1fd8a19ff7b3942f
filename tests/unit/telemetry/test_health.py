"""A program is ready when all its parts are, and says what is missing."""

from argocd_agent.telemetry.health import NOT_STARTED, Health


def test_what_nobody_has_reported_on_is_not_ready() -> None:
    health = Health(["watching Applications", "listening"])

    assert not health.report().is_ready
    assert health.report().missing == {"watching Applications": NOT_STARTED, "listening": NOT_STARTED}


def test_ready_when_every_part_is() -> None:
    health = Health(["a", "b"])

    health.set("a", True)
    assert not health.report().is_ready
    health.set("b", True)

    assert health.report().is_ready
    assert health.report().text() == "ok\n"


def test_the_text_names_each_missing_part_with_its_reason() -> None:
    health = Health(["a"])
    health.set("a", False, "no permission to list applications.argoproj.io")

    assert health.report().text() == "not ready: a: no permission to list applications.argoproj.io\n"


def test_only_a_change_is_news() -> None:
    health = Health(["a"])

    news = [health.set("a", False, "x"), health.set("a", False, "x"), health.set("a", False, "y"),
            health.set("a", True), health.set("a", True)]  # fmt: skip

    assert news == [True, False, True, True, False]


def test_a_report_does_not_change_afterwards() -> None:
    health = Health(["a"])
    report = health.report()

    health.set("a", True)

    assert not report.is_ready
