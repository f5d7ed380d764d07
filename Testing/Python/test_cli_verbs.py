"""Verbs that answer at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from MedUSISLib import __version__
from MedUSISLib.cli.main import app
from MedUSISLib.cli.options import name_or_path
from MedUSISLib.errors import MedUSISError

#: In the order in which the help lists them.
VERBS = (
    "synthesize", "batch", "segment", "dicom", "dataset", "train", "runs", "generators", "study", "schemas",
    "networks", "devices", "version",
)  # fmt: skip


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    assert "Usage" in run(verb, "--help")


def test_help_lists_all_verbs_in_the_order_of_use() -> None:
    listed = [line.split()[1] for line in run("--help").splitlines() if line.startswith("│ ") and line[2] != " "]
    assert tuple(word for word in listed if not word.startswith("--")) == VERBS


def test_a_training_ends_with_what_to_do_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("MedUSISLib.cli.running.run_and_report", ended)
    configuration = tmp_path / "knees.yaml"
    configuration.write_text(
        "{name: knees, out: my out, cache: c, start_from: head-t1w, data: {}, phases: [{name: l1, iterations: 1}]}"
    )
    result = CliRunner().invoke(app, ["train", str(configuration)])
    assert result.exit_code == 0 and result.stdout == ""
    assert f'medusis generators install "{tmp_path / "my out" / "bundle" / "knees"}"' in result.stderr
    assert not CliRunner().invoke(app, ["train", str(configuration), "--json-events"]).stderr


def test_the_series_of_a_folder_is_chosen_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr("MedUSISLib.cli.running.run_and_report", lambda kind, parameters, *_: asked.append(parameters))
    places = ["--ct", str(tmp_path), "--out", str(tmp_path / "out.nii.gz"), "--ct-series", "1.2.3"]
    for verb, more in (("segment", []), ("synthesize", ["--seg", str(tmp_path / "seg.nii.gz")])):
        assert CliRunner().invoke(app, [verb, *places, *more]).exit_code == 0
    assert [parameters["ct_series"] for parameters in asked] == ["1.2.3", "1.2.3"]


def ended(*arguments: object, **settings: object) -> None:
    raise typer.Exit(0)


def test_what_is_not_there_is_said_before_asking_whether_to_remove_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(tmp_path))
    result = CliRunner().invoke(app, ["generators", "remove", "nothing"], input="y\n")
    assert isinstance(result.exception, MedUSISError) and "Remove" not in result.output


def test_help_is_instant_and_loads_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['medusis', 'synthesize', '--help']\n"
        "from MedUSISLib.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'SimpleITK', 'monai', 'numpy', 'psutil'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "print(len(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    # counted, because a clock tells more of the machine than of us: 450, and torch alone has 1,000 more
    assert int(done.stderr.split()[-1]) < 700


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version(arguments: list[str]) -> None:
    assert run(*arguments).strip() == f"medusis {__version__}"


def test_versions_of_what_it_runs_on() -> None:
    versions = json.loads(run("version", "--json"))
    assert versions["medusis"] == __version__ and versions["torch"]


def test_networks_prints_the_published_sizes() -> None:
    table = json.loads(run("networks", "--classes", "31", "--json"))
    for name, millions in (
        ("oasis_generator", 71.0),
        ("wavelet_generator", 54.1),
        ("wavelet_discriminator", 26.2),
        ("segmentator", 22.25),
    ):
        assert table[name]["parameters"] / 1e6 == pytest.approx(millions, rel=0.01)
        assert table[name]["gmac"] > 0
    assert table["wavelet_generator"]["gmac"] == pytest.approx(42.7, rel=0.01)


def test_schemas_are_listed_shown_and_written(tmp_path: Path) -> None:
    assert {"head", "torso", "autopet"} <= {line.split()[0] for line in run("schemas", "list").splitlines()}
    assert "white_matter" in run("schemas", "show", "head")
    assert json.loads(run("schemas", "show", "head", "--json"))["classes"][9]["name"] == "white_matter"
    run("schemas", "ctbl", "head", "--out", str(tmp_path / "head.ctbl"))
    assert (tmp_path / "head.ctbl").read_text() == run("schemas", "ctbl", "head")


def test_unknown_schema_exits_with_the_code_of_its_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "MedUSISLib.cli", "schemas", "show", "hedgehog"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "BAD_SETTING" in done.stderr and "head" in done.stderr and "Traceback" not in done.stderr


def test_generators_list_is_json_on_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(tmp_path))
    rows = json.loads(run("generators", "list", "--json"))
    assert all(row["origin"] == "shipped" for row in rows)
    run("generators", "list")


def test_unknown_generator_is_named() -> None:
    result = CliRunner().invoke(app, ["generators", "show", "hedgehog"])
    assert getattr(result.exception, "code", None) is not None
    assert "GENERATOR_NOT_FOUND" in str(result.exception)


@pytest.mark.parametrize(("text", "is_path"), [("head-t1w", False), ("./g", True), ("a/b", True), ("mine.csv", True)])
def test_names_stay_and_paths_become_absolute(text: str, is_path: bool) -> None:
    assert Path(name_or_path(text)).is_absolute() == is_path
    assert is_path or name_or_path(text) == text
