"""Synthesize an MR in Slicer without its window, or in the Python of slicer-core.

    Slicer --no-splash --no-main-window --python-script MedUSIS/Scripts/synthesize.py \\
        --ct CT.nii.gz --seg SEG.seg.nrrd --out RESULT

The exit code is 0, or that of the named error (docs/jobs.md). Slicer keeps "--help" for itself: write "-- --help".
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

for _folder in Path(__file__).resolve().parents[1:3]:
    # MedUSISLib lies beside the module where it is installed, and one folder further up in a checkout.
    if (_folder / "MedUSISLib" / "__init__.py").is_file() and str(_folder) not in sys.path:
        sys.path.append(str(_folder))

from MedUSISLib.mrml.script import leave, process_events, run_script  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Do what the arguments say; the exit code. Never raises, not even for --help or a wrong option."""
    return run_script(_parser(), arguments, _run)


def _run(options: argparse.Namespace) -> int:
    _require_scene()
    from MedUSISLib.mrml.headless import HeadlessOptions, synthesize
    from MedUSISLib.mrml.settings import SynthesisSettings

    settings = SynthesisSettings(
        generator=options.generator,
        mode=options.mode,
        passes=options.passes,
        noise_samples=options.noise_samples,
        truncation=options.truncation,
        seed=options.seed,
        device=options.device,
        batch_size=options.batch_size,
    )
    asked = HeadlessOptions(
        out=options.out,
        ct=options.ct,
        segmentation=options.seg,
        scene=options.scene,
        ct_node=options.ct_node,
        segmentation_node=options.seg_node,
        labels=options.labels,
        unmapped=options.unmapped,
        settings=settings,
        save_scene=options.save_scene,
        overwrite=options.overwrite,
    )
    synthesize(asked, say=lambda line: print(line, flush=True), idle=process_events())
    print(options.out, flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="synthesize.py",
        description="A synthetic MR from a CT and its segmentation. SYNTHETIC - not for diagnosis.",
        epilog="Files that are not given are taken from --scene. Exit codes: docs/jobs.md.",
        allow_abbrev=False,
    )
    path = Path
    parser.add_argument("--ct", type=path, help="the CT in HU: NIfTI, NRRD, MHA or a folder of DICOM slices")
    parser.add_argument("--seg", type=path, help="its segmentation: .seg.nrrd or a label map (NIfTI, NRRD, MHA)")
    parser.add_argument("--out", type=path, required=True, help="folder for the results")
    parser.add_argument("--scene", type=path, help="an .mrb or .mrml; its transforms are honoured")
    parser.add_argument("--ct-node", metavar="NAME", help="the CT in the scene")
    parser.add_argument("--seg-node", metavar="NAME", help="the segmentation in the scene")
    parser.add_argument("--labels", metavar="NAME|FILE.csv", help="what the labels mean; found out when not given")
    parser.add_argument("--unmapped", metavar="CLASS", help="class of segments that nobody knows")
    parser.add_argument("--generator", default="head-t1w", metavar="ID|FOLDER")
    parser.add_argument("--mode", default="auto", choices=("auto", "slice", "three-view", "window"))
    parser.add_argument("--passes", type=int, default=8, help="dropout passes for the uncertainty (8)")
    parser.add_argument("--noise-samples", type=int, default=0)
    parser.add_argument("--truncation", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--save-scene", type=path, metavar="FILE.mrb", help="save inputs and results as a scene")
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there")
    parser.add_argument("--verbose", action="store_true", help="show where an unexpected error came from")
    return parser


def _require_scene() -> None:
    """Say so where this is not Slicer."""
    from MedUSISLib.errors import ErrorCode, MedUSISError

    try:
        import slicer

        there = hasattr(slicer, "mrmlScene")
    except ImportError:
        there = False
    if not there:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            "this script runs inside 3D Slicer",
            "start it with Slicer --no-splash --no-main-window --python-script, or use medusis synthesize",
        )


if __name__ == "__main__":
    leave(main())
