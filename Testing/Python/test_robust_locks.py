"""Two runs never write to one place: the second is refused by name; the lock of a killed run blocks nobody."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import dataset_example
import pytest
from tiny_generator import tiny_bundle
from training_example import tiny_training

from MedUSISLib.jobs.run import run_job
from MedUSISLib.single_run import held_if_free, single_run
from MedUSISLib.training.run import LOCK_NAME


def ended(folder: Path, kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The last event of a job that is done in this process."""
    job, events = folder / "job.json", io.StringIO()
    job.write_text(json.dumps({"version": 1, "kind": kind, "parameters": parameters}))
    run_job(job, events)
    last: dict[str, Any] = json.loads(events.getvalue().splitlines()[-1])
    return last


@pytest.fixture
def generators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "generators"
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(folder))
    folder.mkdir()
    return folder


@pytest.fixture
def jobs(tmp_path: Path, generators: Path) -> dict[str, tuple[dict[str, Any], Path]]:
    """Jobs, and the lock that one of them holds while it writes."""
    dataset_example.save(dataset_example.mr(0), tmp_path / "data" / "P0_t1.nii.gz")
    out, beside = tmp_path / "out", tmp_path / ".out.medusis-lock"
    training = tiny_training(tmp_path / "t", out=str(out)).model_dump(mode="json")
    nothing = str(tmp_path / "nothing")
    return {
        "synthesize": ({"ct": nothing, "segmentation": nothing, "out": str(out)}, beside),
        "export-dicom": ({"result": nothing, "source": nothing, "out": str(out)}, beside),
        "scan-dataset": ({"folders": [str(tmp_path / "data")], "out": str(out), "jobs": 1}, beside),
        "train": (training, out / LOCK_NAME),
        "install-generator": (
            {"source": str(tiny_bundle(tmp_path / "tiny").directory), "accept": "yes"},
            generators / ".tiny-lock",
        ),
    }


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["synthesize", "export-dicom", "scan-dataset", "train", "install-generator"])
def test_a_second_run_into_the_same_place_is_refused(
    tmp_path: Path, jobs: dict[str, tuple[dict[str, Any], Path]], kind: str
) -> None:
    parameters, lock = jobs[kind]
    lock.parent.mkdir(exist_ok=True)
    with single_run(lock):
        last = ended(tmp_path, kind, parameters)
    assert last["event"] == "error" and last["code"] == "BAD_SETTING" and last["hint"], last
    assert "another MedUSIS run" in last["message"] or "already" in last["message"]
    assert not (tmp_path / "out").exists() or set((tmp_path / "out").iterdir()) == set()


@pytest.mark.fault
def test_the_lock_of_a_killed_run_blocks_nobody(tmp_path: Path, jobs: dict[str, tuple[dict[str, Any], Path]]) -> None:
    parameters, lock = jobs["scan-dataset"]
    script = (
        "import os\nfrom pathlib import Path\nfrom MedUSISLib.single_run import single_run\n"
        f"held = single_run(Path({str(lock)!r}))\nheld.__enter__()\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    with held_if_free(lock) as free:
        assert free
    assert lock.is_file()
    assert ended(tmp_path, "scan-dataset", parameters)["event"] == "result"
    assert not lock.exists()
