"""What the repository holds beside code: licence, line ends, sizes, and a README that keeps its word."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from MedUSISLib import __version__
from MedUSISLib.jobs.failures import EXIT_CODES

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".json", ".csv", ".yaml", ".yml", ".ctbl", ".cff", ".in", ".html", ""}
DOCUMENTATION = (REPOSITORY / "docs").rglob("*.md")
MEGABYTE = 1024 * 1024


def tracked_files() -> list[Path]:
    """What git knows; in an unpacked archive the test is skipped."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True)
    if done.returncode != 0:
        pytest.skip("not a git repository")
    names = [name for name in done.stdout.decode().split("\0") if name]
    return [REPOSITORY / name for name in names if (REPOSITORY / name).is_file()]


def text_files() -> list[Path]:
    return [p for p in tracked_files() if p.suffix in TEXT_SUFFIXES]


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def test_line_ends_are_lf() -> None:
    assert [p.name for p in text_files() if b"\r" in p.read_bytes()] == []


def test_licence_is_apache() -> None:
    text = text_of("LICENSE")
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
    assert "Lesjak" in text_of("NOTICE")


def test_files_are_small_enough_for_an_extension() -> None:
    sizes = {p.relative_to(REPOSITORY).as_posix(): p.stat().st_size for p in tracked_files()}
    assert {name: size for name, size in sizes.items() if size > 13 * MEGABYTE} == {}
    assert sum(size for name, size in sizes.items() if name.endswith(".safetensors")) < 16 * MEGABYTE
    assert sum(sizes.values()) < 60 * MEGABYTE


def test_nothing_names_a_machine() -> None:
    pattern = re.compile(r"/(?:work|root|mnt)/[A-Za-z_.]|/home/(?!doe\b)[a-z]+/|[A-Z]:\\Users\\(?!doe\b)")
    offenders = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line) and path.name != Path(__file__).name
    ]
    assert offenders == []


def test_commands_of_the_readme_exist() -> None:
    makefile = text_of("Makefile")
    documented = set(re.findall(r"\bmake ([a-z-]+)", text_of("README.md") + text_of("docs/development.md")))
    assert {"demo", "test"} <= documented
    for target in documented:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_verbs_of_the_readme_exist() -> None:
    from typer.main import get_command

    from MedUSISLib.cli.main import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    for line in re.findall(r"^medusis (.+)$", text_of("README.md"), re.M):
        words = line.split("#")[0].split()
        command = commands[words[0]]
        if hasattr(command, "commands"):
            command = command.commands[words[1]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


@pytest.mark.parametrize("page", ["README.md", *sorted(p.relative_to(REPOSITORY).as_posix() for p in DOCUMENTATION)])
def test_links_to_files_are_alive(page: str) -> None:
    folder = (REPOSITORY / page).parent
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text_of(page)) if "://" not in link]
    assert [link for link in links if not (folder / link).exists()] == []


def test_version_is_the_same_everywhere() -> None:
    assert tomllib.loads(text_of("pyproject.toml"))["project"]["version"] == __version__
    assert f"version: {__version__}" in text_of("CITATION.cff")


def canonical(package: str) -> str:
    """A package's name as an index compares it."""
    return package.lower().replace("_", "-")


def test_constraints_hold_every_dependency() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    pinned = {canonical(line.split("==")[0]) for line in text_of("constraints.txt").splitlines() if "==" in line}
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    assert {canonical(re.split(r"[ !><=;\[]", name)[0]) for name in wanted} <= pinned
    assert "torch==2.13.0" in text_of("constraints.txt")


def test_exit_codes_are_documented() -> None:
    rows = re.findall(r"^\| (\d+) \| `([A-Z_]+)`", text_of("docs/jobs.md"), re.M)
    assert {name: int(number) for number, name in rows} == {code.value: number for code, number in EXIT_CODES.items()}


def test_extension_has_the_name_of_its_entry() -> None:
    cmake = text_of("CMakeLists.txt")
    assert "project(MedUSIS)" in cmake
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS", "KEYWORDS"):
        assert f"set(EXTENSION_{name} " in cmake
