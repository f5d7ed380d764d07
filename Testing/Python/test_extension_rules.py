"""Every rule of the Extensions Index is kept, and each rule would notice when it is broken."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Utilities"))

import check_extension  # noqa: E402
from extension_rules import entry, readme, repository, sources  # noqa: E402
from extension_rules.checkout import Checkout, Finding, Level  # noqa: E402
from extension_rules.pictures import png_size  # noqa: E402

if not shutil.which("git") or subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True).returncode:
    pytest.skip("not a git repository", allow_module_level=True)

RULES: dict[str, ModuleType] = {"entry": entry, "repository": repository, "readme": readme, "sources": sources}


def wrong(rules: ModuleType, root: Path) -> list[Finding]:
    return [finding for finding in rules.check(Checkout(root)) if finding.level == "wrong"]


@pytest.fixture(scope="module")
def findings() -> dict[str, list[Finding]]:
    """What every rule says about this checkout."""
    return {name: list(rules.check(Checkout(REPOSITORY))) for name, rules in RULES.items()}


@pytest.mark.parametrize("name", list(RULES))
def test_checkout_keeps_every_rule(findings: dict[str, list[Finding]], name: str) -> None:
    assert [finding for finding in findings[name] if finding.level == "wrong"] == []


def test_what_is_left_for_the_release_is_named(findings: dict[str, list[Finding]]) -> None:
    left = [finding.rule for found in findings.values() for finding in found if finding.level == "release"]
    assert any("topic" in rule for rule in left)


@pytest.mark.parametrize(
    ("level", "options", "code"),
    [("ok", ["--release"], 0), ("release", [], 0), ("release", ["--release"], 1), ("wrong", [], 1)],
)
def test_what_is_left_fails_at_the_release_only(
    level: Level, options: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for rules in RULES.values():
        monkeypatch.setattr(rules, "check", lambda checkout: [Finding(level, "a rule", "the text")])
    assert check_extension.main(options) == code
    assert "a rule: the text" in capsys.readouterr().out


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working copy that may be broken: what git tracks here, as it lies here."""
    target = tmp_path_factory.mktemp("rules") / "clone"
    for name in Checkout(REPOSITORY).tracked:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, target / name)
    git = ["git", "-C", str(target), "-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "copy"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    return target


@pytest.fixture
def broken(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(repository, "clone_size_mb", lambda root: 1.0)  # takes seconds; one test is about it
    yield clone
    subprocess.run(["git", "-C", str(clone), "reset", "-q", "--hard"], check=True)
    subprocess.run(["git", "-C", str(clone), "clean", "-q", "-fdx"], check=True)


ENTRY = "Resources/ExtensionsIndex/MedUSIS.json"
ICON = "MedUSIS/Resources/Icons/MedUSIS.png"


def set_entry(root: Path, **changes: Any) -> None:
    content = json.loads((root / ENTRY).read_text(encoding="utf-8"))
    content.update(changes)
    (root / ENTRY).write_text(json.dumps({k: v for k, v in content.items() if v is not None}), encoding="utf-8")


def replace(root: Path, name: str, pattern: str, text: str) -> None:
    before = (root / name).read_text(encoding="utf-8")
    after = re.sub(pattern, text, before, count=1, flags=re.S)
    assert after != before
    (root / name).write_text(after, encoding="utf-8")


def append(root: Path, name: str, text: str) -> None:
    with (root / name).open("a", encoding="utf-8") as file:
        file.write(text)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"$schema": "https://example.org/schema-v1.0.1.json"}, "schema 1.0.2"),
        ({"category": "Synthesis"}, "category"),
        ({"scm_revision": 1}, "right type"),
        ({"build_dependencies": None}, "same dependencies"),
        ({"depends": "PyTorch"}, "does not know"),
        ({"scm_url": "ftp://example.org/SlicerMedUSIS"}, "git or https"),
        ({"scm_url": "https://github.com/OWNER/MedUSIS.git"}, "called Slicer"),
        ({"tier": 6}, "tier"),
        ({"tier": True}, "right type"),
    ],
)
def test_a_wrong_entry_is_noticed(broken: Path, changes: dict[str, Any], rule: str) -> None:
    set_entry(broken, **changes)
    assert any(rule in finding.rule for finding in wrong(entry, broken))


@pytest.mark.parametrize(
    ("pattern", "text", "rule"),
    [
        (r"project\(MedUSIS\)", "project(SlicerMedUSIS)", "project()"),
        (r'set\(EXTENSION_KEYWORDS "[^"]*"\)', "", "CMake says everything"),
        (r"set\(EXTENSION_DESCRIPTION \"", 'set(EXTENSION_DESCRIPTION "A; B ', "semicolon"),
        (r'EXTENSION_DEPENDS "PyTorch"', 'EXTENSION_DEPENDS "NA"', "same dependencies"),
        (r"/main/MedUSIS/Resources/Icons/MedUSIS\.png", "/main/Icon.png", "icon and screenshots"),
        (r"https://raw\.githubusercontent\.com/OWNER", "https://github.com/OWNER", "icon and screenshots"),
        (r"/Resources/Icons/MedUSIS\.png", "/Resources/Icons/MedUSISHeadCT.png", "128 x 128"),
    ],
)
def test_a_wrong_cmake_file_is_noticed(broken: Path, pattern: str, text: str, rule: str) -> None:
    replace(broken, "CMakeLists.txt", pattern, text)
    assert any(rule in finding.rule for finding in wrong(entry, broken))


def test_a_jpeg_called_png_is_noticed(broken: Path) -> None:
    (broken / ICON).write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    assert png_size(broken / ICON) is None
    assert any("PNG" in finding.rule for finding in wrong(entry, broken))
    assert any("PNG" in finding.rule for finding in wrong(repository, broken))


def test_windows_line_ends_are_noticed(broken: Path) -> None:
    for name, rules in ((ENTRY, entry), ("README.md", repository)):
        content = (broken / name).read_bytes().replace(b"\n", b"\r\n")
        (broken / name).write_bytes(content)
        assert any("LF" in finding.rule for finding in wrong(rules, broken))


def test_history_counts_into_the_size_of_the_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    large = tmp_path / "large.bin"
    for content in (os.urandom(2**20), b""):
        large.write_bytes(content)
        subprocess.run([*git, "add", "large.bin"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "change"], check=True)
    assert 1.0 < repository.clone_size_mb(tmp_path) < 2.0


def test_too_large_a_clone_is_noticed(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "clone_size_mb", lambda root: 100.5)
    assert any("100 MB" in finding.rule for finding in wrong(repository, broken))


def test_a_missing_licence_is_noticed(broken: Path) -> None:
    (broken / "LICENSE").unlink()
    assert any("licence" in finding.rule for finding in wrong(repository, broken))


@pytest.mark.parametrize(
    ("pattern", "text", "rule"),
    [
        (r"!\[[^\]]*\]\(Resources/[^)]*\)", "![](Resources/nothing.png)", "PNG files"),
        (r"\*\*MedUSIS\*\*", "MedUSIS", "each module"),
        (r"(?m)Sample Data", "data", "sample data"),
        (r"## Citation.*", "", "cite"),
        (r"## Licence", "## Rights", "licence"),
    ],
)
def test_a_poor_readme_is_noticed(broken: Path, pattern: str, text: str, rule: str) -> None:
    before = (broken / "README.md").read_text(encoding="utf-8")
    (broken / "README.md").write_text(re.sub(pattern, text, before, flags=re.S), encoding="utf-8")
    assert any(rule in finding.rule for finding in wrong(readme, broken))


WINDOW = "MedUSIS/MedUSISGui/sample_data.py"
SCENE = "MedUSISLib/mrml/settings.py"


@pytest.mark.parametrize(
    ("name", "code", "rule"),
    [
        (WINDOW, "import pydantic\n", "only what Slicer ships"),
        (WINDOW, "try:\n    import yaml\nexcept ImportError:\n    yaml = None\n", "only what Slicer ships"),
        (WINDOW, "from MedUSISLib.anatomy.schema import load_schema\n", "only what Slicer ships"),
        (SCENE, "from MedUSISLib.jobs import launcher\n", "only what Slicer ships"),
        (WINDOW, "print('hello')\n", "nothing runs"),
        (SCENE, "for _ in range(3):\n    pass\n", "nothing runs"),
        (WINDOW, "def f():\n    import torch\n", "torch is not imported"),
        (WINDOW, "def f():\n    slicer.util.pip_install('torch')\n", "torch never by pip"),
        (WINDOW, "VALUE = slicer.util.pip_install('pydantic')\n", "nothing is installed"),
        (WINDOW, "def f():\n    import requests\n", "network"),
        ("MedUSISLib/progress.py", "def f():\n    from urllib.request import urlopen\n", "network"),
        (WINDOW, "def f():\n    return qt.QRegExp('a')\n", "removed"),
        (WINDOW, "def f(label):\n    label.setStyleSheet('color: red')\n", "styling"),
    ],
)
def test_wrong_python_is_noticed(broken: Path, name: str, code: str, rule: str) -> None:
    append(broken, name, code)
    assert any(rule in finding.rule for finding in wrong(sources, broken))


def test_types_that_are_only_for_checking_are_no_imports(broken: Path) -> None:
    append(broken, WINDOW, "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pydantic\n")
    assert not any("only what Slicer ships" in finding.rule for finding in wrong(sources, broken))
