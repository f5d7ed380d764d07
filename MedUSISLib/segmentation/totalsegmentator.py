"""TotalSegmentator as a guest: called when it is installed, never required (CT of the torso)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from contextlib import suppress

import psutil

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.reading import read_label_map
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.private_folder import private_folder
from MedUSISLib.progress import Progress
from MedUSISLib.stillness import Stillness, limit_s, sample_s
from MedUSISLib.trouble import is_disk_full, is_out_of_memory

_LOOK_S = 0.5


def run_totalsegmentator(image: Volume, kind: str, device: str, progress: Progress) -> Volume:
    """Labels of TotalSegmentator's ``total`` task, ids as in its documentation.

    It runs in a process of its own on a copy of the voxels in a private temporary folder, so that its file names
    hold nothing of the patient.

    Parameters
    ----------
    image : Volume
    kind : {"ct", "mr"}
    device : str
        "auto", "cpu", "cuda" or "cuda:N".

    Raises
    ------
    MedUSISError
        ``DEPENDENCY_MISSING`` when it is not installed, ``OUT_OF_MEMORY``, ``DISK_FULL``, ``TIMED_OUT`` when it hangs,
        ``INTERNAL`` when it fails otherwise.
    """
    if importlib.util.find_spec("totalsegmentator") is None:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            "TotalSegmentator is not installed",
            "install it with: pip install TotalSegmentator (it downloads its weights at the first run), or give a"
            " segmentation of your own",
        )
    progress.stage("running TotalSegmentator")
    with private_folder() as folder:
        source, result = folder / "image.nii.gz", folder / "labels.nii.gz"
        write_volume(image, source)
        command = [
            sys.executable,
            "-c",
            "from totalsegmentator.bin.TotalSegmentator import main; main()",
            *("-i", str(source), "-o", str(result), "--ml"),
            *("--task", "total" if kind == "ct" else "total_mr"),
        ]
        if device != "auto":
            command += ["--device", device.replace("cuda", "gpu")]
        exit_code, words = _run(command, progress)
        if exit_code != 0 or not result.is_file():
            raise _failed(exit_code, words)
        return read_label_map(result)


def _run(command: list[str], progress: Progress) -> tuple[int, str]:
    """Exit code and what it said; one that does nothing any more is ended, and so is one whose job is cancelled."""
    limit = limit_s()
    nothing = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        root = psutil.Process(process.pid)
        stillness = Stillness(lambda: [root])
        looked = time.monotonic()
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    words = process.communicate(timeout=_LOOK_S)[1]
                    return process.returncode, words
                progress.checkpoint()
                if limit is not None and time.monotonic() - looked >= sample_s(limit):
                    looked = time.monotonic()
                    if stillness.look(sample_s(limit)) >= limit:
                        raise MedUSISError(
                            ErrorCode.TIMED_OUT,
                            f"TotalSegmentator did nothing for {limit:g} seconds, and was ended",
                            "run it by itself to see why, or give a segmentation of your own",
                        )
        finally:
            _end(root)


def _end(root: psutil.Process) -> None:
    """It and what it started (its workers), where they still live."""
    with suppress(psutil.Error):
        for process in (*root.children(recursive=True), root):
            with suppress(psutil.Error):
                process.kill()


def _failed(exit_code: int, words: str) -> MedUSISError:
    error = RuntimeError(words)
    if is_out_of_memory(error) or exit_code == -9:
        return MedUSISError(
            ErrorCode.OUT_OF_MEMORY,
            "the memory does not suffice for TotalSegmentator",
            "close other programs, use --device cpu, or give a segmentation of your own",
        )
    if is_disk_full(error):
        return MedUSISError(ErrorCode.DISK_FULL, "TotalSegmentator finds the disk full", "free some space")
    return MedUSISError(
        ErrorCode.INTERNAL,
        f"TotalSegmentator ended with exit code {exit_code}",
        "run it by itself to see why, or give a segmentation of your own",
    )
