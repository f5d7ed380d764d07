"""TotalSegmentator as a guest: called when it is installed, never required (CT of the torso)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.reading import read_label_map
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.private_folder import private_folder
from MedUSISLib.progress import Progress


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
        ``DEPENDENCY_MISSING`` when it is not installed, ``INTERNAL`` when it fails.
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
        finished = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if finished.returncode != 0 or not result.is_file():
            raise MedUSISError(
                ErrorCode.INTERNAL,
                f"TotalSegmentator ended with exit code {finished.returncode}",
                "run it by itself to see why, or give a segmentation of your own",
            )
        return read_label_map(result)
