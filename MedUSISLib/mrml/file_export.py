"""The nodes of a synthesis as files, for a run without a window; scenes as ``.mrb``."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.result_nodes import SynthesisNodes
from MedUSISLib.mrml.world_grid import index_to_local, size_ijk

DESCRIPTION = "SYNTHETIC - not for diagnosis"
VOLUMES = {"mr": "mr.nii.gz", "uncertainty": "uncertainty.nii.gz", "noise_spread": "noise_spread.nii.gz"}
SEGMENTATIONS = {"mask_consistency": "mask_consistency.seg.nrrd", "labels": "labels.seg.nrrd"}
TEXTS = {"report": "report.html", "provenance": "provenance.json", "quality_data": "quality.json"}
QUALITY_TABLE = "quality.tsv"


def export_results(nodes: SynthesisNodes, folder: Path) -> list[Path]:
    """Write every output of a synthesis into a folder.

    Volumes and segmentations are written in the CT's own coordinates, as Slicer itself saves nodes: a file lies on the
    file of the CT, and a transform above the CT stays in the scene.

    Raises
    ------
    MedUSISError
        DISK_FULL, BAD_SETTING.
    """
    present = nodes.present()
    written = [_write_volume(present[name], folder / file) for name, file in VOLUMES.items() if name in present]
    written += [_store(present[name], folder / file) for name, file in SEGMENTATIONS.items() if name in present]
    for name, file in TEXTS.items():
        if name in present:
            (folder / file).write_text(present[name].GetText(), encoding="utf-8", newline="\n")
            written.append(folder / file)
    if nodes.quality is not None:
        written.append(_store(nodes.quality, folder / QUALITY_TABLE))
    return written


def save_scene(path: Path, overwrite: bool = False) -> None:
    """Save the scene as ``.mrb``, complete or not at all.

    Raises
    ------
    MedUSISError
        BAD_SETTING.
    """
    import slicer

    from MedUSISLib.leftovers import temporary

    check_scene_path(path, overwrite)
    path = path.absolute()
    # A folder, because a scene whose file's name begins with a dot cannot be bundled.
    with temporary(path.parent / f".medusis-{uuid.uuid4().hex}") as folder:
        try:
            folder.mkdir(parents=True, mode=0o700)
            written = folder / "scene.mrb"
            if slicer.mrmlScene.WriteToMRB(str(written)) and written.is_file():
                os.replace(written, path)
                return
        except OSError:
            pass
    raise MedUSISError(
        ErrorCode.BAD_SETTING, "the scene cannot be written", "choose a folder that can be written to", path
    )


def check_scene_path(path: Path, overwrite: bool) -> None:
    """Raise BAD_SETTING when a scene cannot be saved under this name."""
    if path.suffix.lower() != ".mrb":
        raise MedUSISError(ErrorCode.BAD_SETTING, "a scene is saved as .mrb", "give a name that ends in .mrb", path)
    if path.is_dir() or (path.exists() and not overwrite):
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "the scene file exists already", "choose another name, or allow to overwrite", path
        )


def _write_volume(node: Any, path: Path) -> Path:
    # Our writer and not the node's: it keeps the description, which says that the image is synthetic.
    import slicer

    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume

    array = np.ascontiguousarray(slicer.util.arrayFromVolume(node))
    geometry = Geometry.from_affine_ras(index_to_local(node), size_ijk(node))
    return write_volume(Volume(array, geometry), path, DESCRIPTION)


def _store(node: Any, path: Path) -> Path:
    """By the node's own writer; the node's storage in the scene stays as it was."""
    storage = node.CreateDefaultStorageNode()
    storage.UnRegister(None)
    storage.SetFileName(str(path))
    if not storage.WriteData(node):
        raise MedUSISError(ErrorCode.BAD_SETTING, "a result cannot be written", "choose another output folder", path)
    return path
