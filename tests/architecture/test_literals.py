"""The literals of the contract stand in protocol/names.py, and are spelled nowhere else in the product."""

import ast
from collections.abc import Iterator

from argocd_agent.protocol import names
from tests.architecture.source import SourceFile, expect_none, parse

HOME = "src/argocd_agent/protocol/names.py"
SHORTEST = 15  # "argocd-agent" alone is our own name as well
CONTRACT = {
    value: name
    for name, value in vars(names).items()
    if name.isupper() and isinstance(value, str) and "argo" in value and len(value) >= SHORTEST
}


def spelled_again(file: SourceFile) -> Iterator[str]:
    """String constants that are a literal of the contract."""
    if not file.is_ours or file.path == HOME:
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in CONTRACT:
            yield f"{file.at(node)}: {node.value!r} is a literal of the contract: import {CONTRACT[node.value]}"


def test_literals_of_the_contract_are_spelled_once() -> None:
    expect_none(spelled_again)


def test_a_literal_spelled_again_is_found() -> None:
    text = f"label = {names.LABEL_IGNORE_SYNC!r}"

    assert len(list(spelled_again(parse("src/argocd_agent/peer/a.py", text)))) == 1
    assert list(spelled_again(parse("tests/unit/test_a.py", text))) == []
