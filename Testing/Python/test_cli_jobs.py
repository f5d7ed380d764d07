"""Verbs that compute: a child process does it, and the terminal or the JSON lines tell how it ended."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import fake_worker
import pytest
from typer.testing import CliRunner

from MedUSISLib.cli import running
from MedUSISLib.cli.main import app
from MedUSISLib.jobs.events import Result, to_json
from MedUSISLib.jobs.kinds import JobKind
from MedUSISLib.jobs.launcher import Launcher

REQUESTS = {
    "synthesize": "MedUSISLib.synthesis.request:SynthesisRequest",
    "segment": "MedUSISLib.segmentation.request:SegmentationRequest",
}


@pytest.fixture(autouse=True)
def log_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDUSIS_LOGS", str(tmp_path / "log"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "log"


@pytest.fixture()
def received(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The command line with a launcher that starts nothing; gives the specifications that it was handed."""
    specifications: list[dict[str, object]] = []

    class Recorder(Launcher):
        def start(self, listener) -> None:  # type: ignore[no-untyped-def]
            specifications.append({"kind": self._specification.kind, **self._specification.parameters})
            self._specification.request()
            self._listener = listener
            self.output_line('{"event": "stage", "name": "reading"}')
            quality = {"body": {"dice": 0.98}, "uncertainty": {"review": True}}
            self.output_line(to_json(Result("there", {"quality": quality})))
            self.finished(0)

    monkeypatch.setattr(running, "Launcher", Recorder)
    return specifications


def synthesize(*more: str) -> list[str]:
    return ["synthesize", "--ct", "ct.nii.gz", "--seg", "seg.nii.gz", "--out", "out", *more]


def test_every_option_reaches_the_request(received: list[dict[str, object]]) -> None:
    options = (
        "--labels tables/mine.csv --generator head-t1w --mode three-view --passes 20 --noise-samples 4 --truncation 1.5"
        " --seed 7 --device cuda:1 --unmapped soft_tissue --overwrite --batch-size 3 --allow-cpu"
        " --compile"
    )
    result = CliRunner().invoke(app, synthesize(*options.split()))
    assert result.exit_code == 0, result.output
    here = Path.cwd()
    assert received == [
        {
            "kind": "synthesize",
            "ct": str(here / "ct.nii.gz"),
            "segmentation": str(here / "seg.nii.gz"),
            "out": str(here / "out"),
            "labels": str(here / "tables" / "mine.csv"),
            "generator": "head-t1w",
            "mode": "three-view",
            "passes": 20,
            "noise_samples": 4,
            "truncation": 1.5,
            "seed": 7,
            "unmapped": "soft_tissue",
            "batch_size": 3,
            "device": "cuda:1",
            "allow_cpu": True,
            "compile_passes": True,
            "overwrite": True,
        }
    ]


def test_defaults_of_command_and_request_agree(received: list[dict[str, object]]) -> None:
    from MedUSISLib.synthesis.request import SynthesisRequest

    CliRunner().invoke(app, synthesize())
    given = {name: value for name, value in received[0].items() if name not in ("kind", "ct", "segmentation", "out")}
    assert given == {name: SynthesisRequest.model_fields[name].default for name in given}


def test_result_is_on_standard_output_and_progress_is_not(received: list[dict[str, object]]) -> None:
    result = CliRunner().invoke(app, synthesize())
    assert result.stdout.splitlines() == ["body outline, Dice: 0.98", "review advised: yes", "there"]


def test_json_events_are_the_only_thing_on_standard_output(received: list[dict[str, object]]) -> None:
    result = CliRunner().invoke(app, synthesize("--json-events"))
    assert [json.loads(line)["event"] for line in result.stdout.splitlines()] == ["stage", "result"]
    assert result.stderr == ""


def test_wrong_setting_exits_with_its_code(received: list[dict[str, object]]) -> None:
    result = CliRunner().invoke(app, synthesize("--device", "gpu"))
    assert result.exit_code == 2
    assert "BAD_SETTING" in result.stderr and "device" in result.stderr


def test_wrong_setting_is_an_event_too(received: list[dict[str, object]]) -> None:
    result = CliRunner().invoke(app, synthesize("--truncation", "-1", "--json-events"))
    event = json.loads(result.stdout)
    assert (event["event"], event["code"], result.exit_code) == ("error", "BAD_SETTING", 2)


@pytest.mark.parametrize("images", [[], ["--ct", "a.nii", "--mr", "b.nii"]])
def test_segment_wants_exactly_one_image(received: list[dict[str, object]], images: list[str]) -> None:
    result = CliRunner().invoke(app, ["segment", *images, "--out", "seg.nii.gz"])
    assert result.exit_code == 2
    assert "either a CT or an MR" in result.stderr


def with_worker(monkeypatch: pytest.MonkeyPatch, behaviour: str) -> None:
    """The real launcher with a worker that behaves as told, for the verb ``segment``."""
    kind = JobKind("segment", REQUESTS["segment"], "unused:unused")
    command = (*fake_worker.COMMAND, "--behaviour", behaviour)
    monkeypatch.setattr(running, "Launcher", functools.partial(Launcher, command=command, kinds={"segment": kind}))


@pytest.mark.parametrize(
    ("behaviour", "code", "number"), [("fail_by_name", "NOT_A_CT", 11), ("fail_without_name", "INTERNAL", 1)]
)
def test_failure_shows_code_file_hint_and_exits_with_its_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, behaviour: str, code: str, number: int
) -> None:
    with_worker(monkeypatch, behaviour)
    command = ["segment", "--ct", str(tmp_path / "doe.nii"), "--out", str(tmp_path / "seg")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == number, result.output
    assert code in result.stderr and "hint:" in result.stderr
    if code == "NOT_A_CT":
        assert f"file: {tmp_path / 'doe.nii'}" in result.stderr
    else:
        assert "log:" in result.stderr and "Traceback" not in result.stderr
    log = next((tmp_path / "log").iterdir()).read_text()
    assert "doe" not in log and code in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_to_the_command_cancels_the_job(tmp_path: Path, number: signal.Signals) -> None:
    script = f"""
import functools, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import fake_worker
from MedUSISLib.cli import running
from MedUSISLib.cli.main import main
from MedUSISLib.jobs.kinds import JobKind
from MedUSISLib.jobs.launcher import Launcher
kind = JobKind("segment", {REQUESTS["segment"]!r}, "unused:unused")
running.Launcher = functools.partial(
    Launcher, command=(*fake_worker.COMMAND, "--behaviour", "sleep"), kinds={{"segment": kind}})
sys.argv = ["medusis", "segment", "--ct", "ct.nii", "--out", {str(tmp_path / "seg")!r}, "--json-events"]
main()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=os.environ) as command:
        assert command.stdout is not None
        assert b"working" in command.stdout.readline()
        command.send_signal(number)
        last = json.loads(command.stdout.read().splitlines()[-1])
    assert (last["code"], command.returncode) == ("CANCELLED", 130)
    assert [p.name for p in tmp_path.iterdir()] == ["log"]
