"""Devices are listed, and a torch that does not load is explained, without importing it in the job's own process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.device_probe import DeviceList, list_devices
from MedUSISLib.generators.torch_trouble import check_version, trouble_of_exit, trouble_of_import
from MedUSISLib.jobs.events import Failure, Result, Warned, parse_event
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.progress import Progress

REPOSITORY = Path(__file__).resolve().parents[2]
H200 = {"id": "cuda:0", "title": "NVIDIA H200", "free_bytes": 140_000_000_000, "total_bytes": 150_000_000_000}


class Heard(Progress):
    def __init__(self) -> None:
        self.warnings: list[tuple[str, str]] = []

    def warning(self, code: str, message: str) -> None:
        self.warnings.append((code, message))


def listed(driver: bool = False, **answer: Any) -> tuple[DeviceList, list[str]]:
    complete = {"version": "2.13.0+cu130", "cuda": "13.0", "devices": [], "warnings": [], **answer}
    heard = Heard()
    found = list_devices(progress=heard, ask_torch=lambda: complete, driver_present=lambda: driver)
    return found, [code for code, _ in heard.warnings]


def test_job_lists_the_devices_of_this_computer() -> None:
    events = list(Launcher(JobSpecification(kind="devices", parameters={})).events())
    last = events[-1]
    assert isinstance(last, Result), last
    assert last.summary["torch"].startswith("2.")
    cpu = last.summary["devices"][0]
    assert cpu["id"] == "cpu" and cpu["title"].startswith("CPU (") and 0 < cpu["free_bytes"] <= cpu["total_bytes"]


def test_the_process_of_the_job_does_not_import_torch() -> None:
    script = (
        "import sys\nfrom MedUSISLib.generators.device_probe import list_devices\n"
        "list_devices()\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr


def test_cards_come_after_the_cpu_with_title_and_memory() -> None:
    found, warnings = listed(devices=[H200])
    assert [device.id for device in found.devices] == ["cpu", "cuda:0"]
    assert found.summary()["devices"][1] == H200
    assert not warnings


def test_card_without_a_torch_for_it_is_a_warning() -> None:
    assert listed(driver=True, version="2.13.0+cpu", cuda=None)[1] == ["TORCH_WITHOUT_GPU"]
    assert listed(driver=False, version="2.13.0+cpu", cuda=None)[1] == []


@pytest.mark.parametrize(
    ("text", "driver", "codes"),
    [
        ("CUDA initialization: The NVIDIA driver on your system is too old (found version 11040).", True,
         ["GPU_DRIVER_TOO_OLD"]),
        ("cuda:1 does not answer: CUDA error: out of memory", True, ["GPU_DOES_NOT_ANSWER"]),
        ("CUDA initialization: Unexpected error from cudaGetDeviceCount()", True, ["GPU_DOES_NOT_ANSWER"]),
        ("CUDA initialization: Found no NVIDIA driver on your system.", False, []),
        ("Failed to initialize NumPy", True, []),
    ],
)  # fmt: skip
def test_why_a_card_is_not_used_is_said(text: str, driver: bool, codes: list[str]) -> None:
    assert listed(driver=driver, warnings=[text, text])[1] == codes


@pytest.mark.parametrize(
    ("kind", "text", "module", "words"),
    [
        ("ModuleNotFoundError", "No module named 'torch'", "torch", "not installed"),
        ("ModuleNotFoundError", "No module named 'sympy'", "sympy", "the package 'sympy'"),
        ("ModuleNotFoundError", "No module named 'torch._C'", "torch._C", "only in part"),
        ("OSError", r'[WinError 126] Error loading "D:\jane\torch\lib\c10.dll"', None, "(DLL)"),
        ("OSError", "libcudart.so.13: cannot open shared object file", None, "CUDA libraries"),
        ("ImportError", "libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent", None, "do not fit together"),
        ("ImportError", "dlopen(/opt/jane/_C.so): incompatible architecture", None, "do not fit"),
        ("OSError", "[WinError 1455] The paging file is too small", None, "not enough memory"),
        ("AttributeError", "module 'torch' has no attribute '__version__'", None, "only in part"),
        ("OSError", "/srv/jane/libtorch_cpu.so: no such file", None, "missing"),
        ("RuntimeError", "something of /srv/jane", None, "does not load (RuntimeError)"),
    ],
)
def test_import_error_becomes_words_without_folders(kind: str, text: str, module: str | None, words: str) -> None:
    error = trouble_of_import({"type": kind, "text": text, "module": module})
    assert error.code is ErrorCode.DEPENDENCY_MISSING
    assert words in error.message and error.hint
    assert "jane" not in str(error)


@pytest.mark.parametrize(
    ("code", "words"),
    [(-4, "processor"), (0xC000001D, "processor"), (-9, "memory"), (-11, "exit code -11"), (1, "exit code 1")],
)
def test_death_of_the_import_becomes_words(code: int, words: str) -> None:
    assert words in trouble_of_exit(code).message


def test_old_torch_is_refused_by_name() -> None:
    check_version("2.6.0")
    with pytest.raises(MedUSISError, match=r"2\.5\.1\+cu121 is too old"):
        check_version("2.5.1+cu121")


def without_library(folder: Path) -> None:
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text("raise OSError('libcudart.so.12: cannot open shared object file')\n")


def for_another_processor(folder: Path) -> None:
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without_library, "CUDA libraries"),
        pytest.param(
            for_another_processor,
            "processor",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGILL to send"),
        ),
    ],
)
def test_job_explains_a_torch_that_does_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None], words: str
) -> None:
    damage(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    launcher = Launcher(JobSpecification(kind="devices", parameters={}))
    last = list(launcher.events())[-1]
    assert isinstance(last, Failure)
    assert (last.code, launcher.exit_code) == ("DEPENDENCY_MISSING", 33)
    assert words in last.message and last.hint
    assert str(tmp_path) not in last.message + last.hint


def test_verb_prints_what_the_job_says(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"version": "2.13.0+cu130", "cuda": "13.0", "devices": [H200], "warnings": []}
    monkeypatch.setattr("MedUSISLib.generators.device_probe.torch_answer", lambda: answer)
    result = CliRunner().invoke(app, ["devices", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["devices"][1] == H200
    assert "140.0 GB free of 150.0 GB" in CliRunner().invoke(app, ["devices"]).stdout


def test_unknown_parameter_is_refused() -> None:
    with pytest.raises(MedUSISError, match="devices are not valid"):
        JobSpecification(kind="devices", parameters={"device": "cpu"}).request()


def test_warning_travels_as_an_event(tmp_path: Path) -> None:
    from MedUSISLib.jobs.events import EventWriter, JobProgress

    stream = io.StringIO()
    list_devices(
        progress=JobProgress(EventWriter(stream)),
        ask_torch=lambda: {"version": "2.13.0+cpu", "cuda": None, "devices": [], "warnings": []},
        driver_present=lambda: True,
    )
    events = [parse_event(line) for line in stream.getvalue().splitlines()]
    assert any(isinstance(event, Warned) and event.code == "TORCH_WITHOUT_GPU" for event in events)
