"""The manual follows from the declarations."""

import pytest

from argocd_agent.agent.config import AgentConfig
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.settings.declare import declarations
from argocd_agent.settings.manual import manual
from argocd_agent.settings.values import Secret


@pytest.mark.feature("C-93")
def test_every_setting_has_a_row_with_its_names() -> None:
    page = manual((PrincipalConfig, AgentConfig))

    for config in (PrincipalConfig, AgentConfig):
        for one in declarations(config):
            assert f"`{one.name}`" in page
            assert not one.variable or f"`{one.variable}`" in page
            assert not one.key or f"`{one.key}`" in page


def test_every_row_has_six_cells() -> None:
    rows = [line for line in manual((PrincipalConfig,)).splitlines() if line.startswith("|")]

    assert {line.replace("\\|", "").count("|") for line in rows} == {7}


def test_flags_and_variables_are_unique_in_each_program() -> None:
    for config in (PrincipalConfig, AgentConfig):
        flags = [one.flag for one in declarations(config) if one.flag]
        variables = [one.variable for one in declarations(config) if one.variable]

        assert len(flags) == len(set(flags))
        assert len(variables) == len(set(variables))


def test_passwords_are_secrets_and_every_help_is_a_sentence() -> None:
    for one in (*declarations(PrincipalConfig), *declarations(AgentConfig)):
        assert isinstance(one.default, Secret) == one.flag.endswith("password")
        assert one.help.endswith((".", ".)"))
