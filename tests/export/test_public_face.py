"""What users and their tools see of the package."""

import ast
import re
from pathlib import Path

import pytest

from kerasnas import export as package
from kerasnas.export import ExportSettings


def test_every_public_name_is_seen_by_tools_and_can_be_used():
    assert dir(package) == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_a_type_checker_sees_the_same_names():
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = [alias.name for node in block.body for alias in node.names]
    assert sorted(seen, key=str) == sorted(package.__all__, key=str)


def test_messages_name_settings_in_words_for_python_and_the_command_line_alike():
    # `waveform=` is the front end that Python gives, besides the setting.
    names = "|".join(set(ExportSettings.model_fields) - {"waveform"})
    texts = [
        (path.name, node.value)
        for path in sorted(Path(package.__file__).parent.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert len(texts) > 500
    assert [each for each in texts if re.search(rf"\b({names})=", each[1])] == []
