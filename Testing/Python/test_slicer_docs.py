"""What the pages on the module promise is there: buttons, options of the script, errors, pictures."""

from __future__ import annotations

import html
import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from MedUSISLib.errors import ErrorCode

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "slicer.md").read_text(encoding="utf-8")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
TUTORIAL = README.split("## Tutorial")[1].split("\n## ")[0]
OF_SLICER = {"MedUSIS", "PyTorch", "PyTorch Utils", "Sample Data", "Auto W/L", "Reload and Test"}


def texts_of_the_window() -> str:
    """Every text that a person can read in the panel, entries of its lists included."""
    forms = [ElementTree.parse(path) for path in (REPOSITORY / "MedUSIS" / "Resources" / "UI").glob("*.ui")]
    parts = [html.unescape(node.text or "") for form in forms for node in form.iter("string")]
    sources = [*(REPOSITORY / "MedUSIS" / "MedUSISGui").glob("*.py"), *(REPOSITORY / "MedUSISLib/mrml").glob("*.py")]
    return "\n".join(parts + [path.read_text(encoding="utf-8") for path in sources])


@pytest.mark.parametrize("text", [TUTORIAL, PAGE], ids=["tutorial", "page"])
def test_what_is_named_can_be_found_in_the_window(text: str) -> None:
    prose = re.sub(r"```.*?```|!\[[^\]]*\]", "", text, flags=re.S).replace("**", "")
    named = {" ".join(name.split()) for name in re.findall(r"(?<![*\w])\*([A-Z][^*]+)\*", prose)}
    shown = texts_of_the_window()
    assert len(named) > 5
    assert {name for name in named - OF_SLICER if name.removesuffix("...") not in shown} == {
        name for name in named if name.startswith("CT name")
    }


def test_every_error_has_a_line() -> None:
    table = PAGE.split("## When something goes wrong")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)`", table, re.M)) == {code.value for code in ErrorCode}


def options_of(script: str) -> set[str]:
    path = REPOSITORY / "MedUSIS" / "Scripts" / script
    specification = importlib.util.spec_from_file_location(f"medusis_{path.stem}_for_docs", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return {option for action in module._parser()._actions for option in action.option_strings}


def test_every_option_of_the_script_is_explained() -> None:
    options = options_of("synthesize.py")
    section = PAGE.split("## Without a window")[1].split("\n## ")[0]
    documented = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", section))
    assert options - {"-h", "--help", "--verbose"} <= documented
    slicers = {"--no-splash", "--no-main-window", "--python-script", "--additional-module-paths", "--help"}
    assert documented - slicers <= options | options_of("batch.py")


def test_shared_settings_mean_the_same_to_script_and_command_line() -> None:
    from typer.main import get_command

    from MedUSISLib.cli.main import app

    command = get_command(app).commands["synthesize"]  # type: ignore[attr-defined]
    defaults = {option: parameter.default for parameter in command.params for option in parameter.opts}
    script = (REPOSITORY / "MedUSIS" / "Scripts" / "synthesize.py").read_text(encoding="utf-8")
    for option in ("--passes", "--noise-samples", "--truncation", "--seed", "--device", "--generator", "--mode"):
        found = re.search(rf'"{option}".*?default="?([^",)]+)', script)
        assert found is not None and found[1] == str(getattr(defaults[option], "value", defaults[option])), option
