"""The images of a reading in the scene: those that are on the screen, and those of the next trial, loaded ahead."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError

NODE_NAME = "Image"
"""Of every image: a name could tell what it is."""

OURS = "MedUSIS.Reading"
"""Attribute of every node that a reading made; it holds nothing."""


class TrialImages:
    """Image nodes by the random names of their files.

    Nodes have neither a storage node nor a file name, and are neither listed in Slicer's selectors nor saved with the
    scene.

    Parameters
    ----------
    scene : vtkMRMLScene
    folder : Path
        An unpacked package.
    """

    def __init__(self, scene: Any, folder: Path) -> None:
        self._scene = scene
        self._folder = folder
        self._nodes: dict[str, Any] = {}

    def loaded(self) -> tuple[str, ...]:
        """Names of the images that are in the scene."""
        return tuple(self._nodes)

    def node(self, image: str) -> Any:
        """The node of an image, loaded when it is not there yet.

        Raises
        ------
        MedUSISError
            INPUT_NOT_READABLE when the file is gone or damaged.
        """
        if image not in self._nodes:
            self._nodes[image] = self._load(image)
        return self._nodes[image]

    def keep_only(self, images: Iterable[str]) -> None:
        """Take all other images out of the scene."""
        wanted = set(images)
        for image in [name for name in self._nodes if name not in wanted]:
            self._remove(self._nodes.pop(image))

    def close(self) -> None:
        """Take all images out of the scene."""
        self.keep_only(())

    def forget(self) -> None:
        """The scene was closed: the nodes are gone already."""
        self._nodes.clear()

    def _remove(self, node: Any) -> None:
        display = node.GetDisplayNode()
        self._scene.RemoveNode(node)
        if display is not None:
            self._scene.RemoveNode(display)

    def _load(self, image: str) -> Any:
        import slicer
        import vtk

        from MedUSISLib.imaging.reading import read_volume
        from MedUSISLib.study.package import image_file

        try:
            volume = read_volume(image_file(self._folder, image), "the image of this trial")
        except MedUSISError as error:
            # Without the path: its name is random, but it is none of the reader's business.
            raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, error.message, "open the package again") from None
        node = slicer.vtkMRMLScalarVolumeNode()
        node.SetName(NODE_NAME)
        node.SetAttribute(OURS, "1")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(volume.geometry.affine_ras.ravel().tolist())
        node.SetIJKToRASMatrix(matrix)
        display = slicer.vtkMRMLScalarVolumeDisplayNode()
        display.SetName(NODE_NAME)
        display.SetAttribute(OURS, "1")
        display.SetHideFromEditors(True)
        display.SetSaveWithScene(False)
        display.SetAutoWindowLevel(False)
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
        self._scene.AddNode(display)
        self._scene.AddNode(node)
        node.SetAndObserveDisplayNodeID(display.GetID())
        slicer.util.updateVolumeFromArray(node, volume.array_kji)
        display.SetAutoWindowLevel(False)
        return node
