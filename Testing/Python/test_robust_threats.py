"""The table of threats and faults names tests that exist, and files of the code that do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "docs" / "threats.md").read_text(encoding="utf-8")
ROWS = [line.split(" | ") for line in TEXT.splitlines() if re.match(r"\| (?!threat or fault)[^-]", line)]


def names_of_tests(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found.add(node.name)
    return found


def test_every_row_names_tests_that_exist() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", TEXT)
    assert len(named) > 60 and len(ROWS) > 40
    missing = []
    for file, name in named:
        path = REPOSITORY / "Testing" / "Python" / file
        if not path.is_file() or name not in names_of_tests(path):
            missing.append(f"{file}::{name}")
    assert missing == []


def test_no_row_is_without_a_test() -> None:
    assert [row[0] for row in ROWS if len(row) != 4 or "test_" not in row[3]] == []


def test_every_file_of_the_code_that_a_row_names_exists() -> None:
    named = {name for row in ROWS for name in re.findall(r"`([\w/]+\.py)`", row[2])}
    assert len(named) > 20
    assert [name for name in sorted(named) if not (REPOSITORY / "MedUSISLib" / name).is_file()] == []
