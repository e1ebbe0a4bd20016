"""What users and their tools see of the package."""

import ast
from pathlib import Path

import pytest

from kerasnas import export as package


def test_every_public_name_is_seen_by_tools_and_can_be_used():
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_a_type_checker_sees_the_same_names():
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (block,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    seen = [alias.asname for node in block.body for alias in node.names]
    assert sorted(seen, key=str) == sorted(package.__all__, key=str)
