"""What every `Cluster` backend must do: all cases, in `CASES`; see case.py for what a case is."""

import importlib

import pytest

from tests.conformance.cluster_contract.case import CASES, Backend, Case, Place, play

PARTS = [f"tests.conformance.cluster_contract.{part}" for part in ("writes", "deletes", "lists", "patches", "watches")]

pytest.register_assert_rewrite(*PARTS)  # else a failing case would not show its values
for part in PARTS:
    importlib.import_module(part)

__all__ = ["CASES", "Backend", "Case", "Place", "play"]
