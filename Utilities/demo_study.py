#!/usr/bin/env python3
"""A complete small reader study from public data: cases, blinding, packages, readings, results, reports.

    MEDUSIS_DATA=/path/to/data .venv/bin/python Utilities/demo_study.py OUT

Three studies of two simulated readers: real T1s against head-t1w as volumes and as slices (12 trials each), and lesions
of multiple sclerosis on T1 alone against T1 with FLAIR (6 slabs, 12 trials). The readers answer through the module
MedUSIS Reader in the stand-in for Slicer's window (Testing/Harness), by keys and mouse; everything else is done by the
commands of ``medusis study``. What comes out proves that the parts fit together, and nothing about the generator.

Needs the folders ``mr_head_t1`` and ``lesions`` of the data; what is there already is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
for place in ("Testing/Harness", "Testing/Python", "Utilities", "."):
    sys.path.insert(0, str(REPOSITORY / place))

from demo_study_parts.heads import SLAB_MM, head_cases  # noqa: E402
from demo_study_parts.lesions import ARMS, lesion_cases  # noqa: E402
from demo_study_parts.reading import SimulatedReader, Skill  # noqa: E402

from MedUSISLib.mrml.reading_start import answers_beside  # noqa: E402
from MedUSISLib.study.key import load_study  # noqa: E402
from MedUSISLib.study.protocol import CommonForm, Display, LesionRule, Protocol, lesion_reading, visual_turing  # noqa: E402
from MedUSISLib.study.readings import readings  # noqa: E402
from MedUSISLib.study.versioned import to_json  # noqa: E402

READERS = ("R1", "R2")
SKILLS = {
    "R1": Skill(right=0.8, unsure=0.1, finds={"t1": 0.5, "t1-flair": 0.9}, false_marks=0.2),
    "R2": Skill(right=0.6, unsure=0.2, finds={"t1": 0.4, "t1-flair": 0.8}, false_marks=0.4),
}
SIZE = (1280, 800)
PICTURES = {"volumes": 3, "slices": 2, "lesions": 4}


def protocols() -> dict[str, Protocol]:
    """One of each study."""
    form = CommonForm(spacing_mm=(1.5, 1.5, SLAB_MM))
    turing = visual_turing("demo", READERS)
    return {
        "volumes": turing.model_copy(update={"id": "demo-volumes", "common_form": form}),
        "slices": turing.model_copy(
            update={"id": "demo-slices", "common_form": form, "display": Display(mode="slice")}
        ),
        "lesions": lesion_reading("demo-lesions", READERS, arms=ARMS).model_copy(
            # Components of a voxel or two are in the masks by the dozen.
            update={"common_form": form, "lesion_rule": LesionRule(smallest_mm3=40.0)}
        ),
    }


def main(data: Path, out: Path, names: list[str]) -> int:
    """Make, read and analyse the studies; the figures go to the standard output."""
    out.mkdir(parents=True, exist_ok=True)
    window = None
    for name in names:
        protocol, folder = protocols()[name], out / name
        folder.mkdir(exist_ok=True)
        table = lesion_cases(data, out / "slabs") if name == "lesions" else head_cases(data, out / "heads")
        (folder / "protocol.json").write_text(to_json(protocol), encoding="utf-8")
        # Answers that were merged into an earlier one belong to it.
        shutil.rmtree(folder / "study", ignore_errors=True)
        medusis("new", table, "--protocol", folder / "protocol.json", "--out", folder / "study")
        print(medusis("check", folder / "study"))
        answers = []
        for reader in READERS:
            package = folder / f"{reader}.zip"
            for earlier in (package, answers_beside(package)):
                earlier.unlink(missing_ok=True)
            medusis("package", folder / "study", "--reader", reader, "--out", package)
            window = window or start()
            answers.append(str(read(window, folder, name, reader)))
        print(medusis("merge", folder / "study", *answers, "--csv", folder / "answers.csv"))
        print(medusis("analyse", folder / "study", "--out", folder / "results", "--overwrite"))
    return 0


def medusis(*words: object) -> str:
    """``medusis study ...`` as somebody would type it; what it said."""
    command = [sys.executable, "-m", "MedUSISLib.cli", "study", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    if done.returncode:
        raise SystemExit(f"medusis study {words[0]}: {done.stderr or done.stdout}")
    return done.stdout


def start():  # type: ignore[no-untyped-def]
    """The stand-in for Slicer with the module."""
    import slicer_harness

    harness = slicer_harness.start()
    harness.load_module(REPOSITORY / "MedUSIS" / "MedUSISReader.py")
    window = harness.slicer.util.mainWindow()
    window.resize(*SIZE)
    window.show()
    harness.slicer.util.selectModule("MedUSISReader")
    return harness


def read(harness, folder: Path, name: str, reader: str) -> Path:  # type: ignore[no-untyped-def]
    """One reader from the introduction to the closing form; the file of his answers, compared with what he pressed."""
    widget = harness.slicer.modules.MedUSISReaderWidget
    package = folder / f"{reader}.zip"
    began, cpu = time.monotonic(), time.process_time()
    if not widget.read(package, reader):
        raise SystemExit(widget.ui.errorTextLabel.text)
    window = harness.slicer.util.mainWindow()
    window.showNormal()
    window.resize(*SIZE)
    _, key = load_study(folder / "study")
    pictures = {PICTURES[name]: folder / f"{reader}.png"}
    simulated = SimulatedReader(
        harness, widget.panel.room, seed=READERS.index(reader), key=key, skill=SKILLS[reader], pictures=pictures
    )
    simulated.read()
    answers = answers_beside(package)
    stored = {(one.trial, one.stage): dict(one.values) for one in readings(folder / "study", answers)}
    if stored != simulated.said:
        raise SystemExit("the study finds other answers than the reader pressed")
    spent = {"seconds": round(time.monotonic() - began), "of processor": round(time.process_time() - cpu)}
    print(f"{name}, {reader}: {len(stored)} answers through the room, all found by the study; {json.dumps(spent)}")
    return answers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for cases, studies and results")
    parser.add_argument("--only", choices=list(PICTURES), action="append", help="one of the three studies")
    arguments = parser.parse_args()
    if "MEDUSIS_DATA" not in os.environ:
        parser.error("MEDUSIS_DATA names the folder of the data")
    raise SystemExit(main(Path(os.environ["MEDUSIS_DATA"]), arguments.out, arguments.only or list(PICTURES)))
