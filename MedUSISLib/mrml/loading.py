"""Files into the scene with Slicer's own readers, in the application and without it.

``slicer.util.loadVolume`` needs the application; the logic and storage classes used here are what it uses inside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.private_folder import private_folder

if TYPE_CHECKING:
    from MedUSISLib.imaging.volume import Volume

_LABEL_MAP, _SINGLE_FILE = 1, 4  # vtkSlicerVolumesLogic's loading options
_SEGMENTATION_ENDINGS = (".seg.nrrd", ".seg.nhdr", ".vtm")


def load_volume(path: Path, name: str, role: str = "the CT") -> Any:
    """A scalar volume node from an image file, or from a folder of DICOM slices.

    Parameters
    ----------
    path : Path
    name : str
        Of the new node. Never the file's name, which can be a patient's.
    role : str
        How messages call the image.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE.
    """
    if path.is_dir():
        return _load_dicom_folder(path, name, role)
    return _load_archetype(path, name, role, _SINGLE_FILE)


def load_labels(path: Path, name: str, role: str = "the segmentation") -> Any:
    """A labelmap node from a label image, its values unchanged.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE.
    """
    return _load_archetype(path, name, role, _SINGLE_FILE | _LABEL_MAP)


def load_segmentation(path: Path, name: str, role: str = "the segmentation") -> Any:
    """What a file of segments is in Slicer: a segmentation node from ``.seg.nrrd``, a labelmap node from an image.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE.
    """
    import slicer

    if not path.name.lower().endswith(_SEGMENTATION_ENDINGS):
        return load_labels(path, name, role)
    _must_exist(path, role)
    node = slicer.modules.segmentations.logic().LoadSegmentationFromFile(str(path), False, name)
    if node is None:
        raise _unreadable(path, role)
    return node


def volume_node(volume: Volume, name: str) -> Any:
    """A scalar volume node with the voxels and the grid of a volume that our own reader has read."""
    import slicer
    import vtk

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, volume.array_kji)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(volume.geometry.affine_ras.ravel().tolist())
    node.SetIJKToRASMatrix(matrix)
    node.CreateDefaultDisplayNodes()
    return node


def load_scene(path: Path) -> None:
    """Replace the scene by that of an ``.mrb`` or ``.mrml`` file.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE.
    """
    import slicer

    _must_exist(path, "the scene")
    with private_folder() as folder:
        file = str(path)
        if path.suffix.lower() == ".mrb":
            file = slicer.mrmlScene.UnpackSlicerDataBundle(file, str(folder))
        slicer.mrmlScene.SetURL(file or "")
        if not file or not slicer.mrmlScene.Connect():
            raise MedUSISError(
                ErrorCode.INPUT_NOT_READABLE, "Slicer cannot read the scene", "save it again as .mrb", path
            )


def _load_archetype(path: Path, name: str, role: str, options: int) -> Any:
    import slicer

    _must_exist(path, role)
    node = slicer.modules.volumes.logic().AddArchetypeVolume(str(path), name, options)
    if node is None or node.GetImageData() is None:
        if node is not None:
            slicer.mrmlScene.RemoveNode(node)
        raise _unreadable(path, role)
    if node.GetImageData().GetNumberOfScalarComponents() != 1:
        slicer.mrmlScene.RemoveNode(node)
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"{role} has several values in each voxel: a colour image or a time series",
            "give one image with one value in each voxel",
            path,
        )
    node.SetName(name)
    return node


def _load_dicom_folder(path: Path, name: str, role: str) -> Any:
    """Slicer itself reads DICOM through a database that must be filled first; our reader needs the folder only."""
    from MedUSISLib.imaging.reading import read_volume

    return volume_node(read_volume(path, role), name)


def _must_exist(path: Path, role: str) -> None:
    if not path.exists():
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"{role} does not exist", "check the path", path)


def _unreadable(path: Path, role: str) -> MedUSISError:
    return MedUSISError(
        ErrorCode.INPUT_NOT_READABLE,
        f"Slicer cannot read {role}",
        "give NIfTI, NRRD, MHA, a .seg.nrrd, or for the CT a folder of DICOM slices",
        path,
    )
