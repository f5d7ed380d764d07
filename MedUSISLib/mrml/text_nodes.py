"""Text nodes that are written to a file of their own when the scene is saved."""

from __future__ import annotations

from typing import Any


def fill_text(node: Any, text: str, suffix: str) -> None:
    """Give a text node its text.

    Parameters
    ----------
    node : vtkMRMLTextNode
        In a scene.
    suffix : str
        Of the file that Slicer writes: ``"json"`` or ``"html"``.
    """
    import slicer
    import vtk

    node.SetText(text, vtk.VTK_ENCODING_UTF_8)
    # Inside the .mrml file a report of 3 MB would slow down every save; and a file of its own can be opened.
    node.SetForceCreateStorageNode(slicer.vtkMRMLTextNode.CreateStorageNodeAlways)
    node.AddDefaultStorageNode()
    storage = node.GetStorageNode()
    storage.SetSupportedReadFileExtensions([suffix])
    storage.SetSupportedWriteFileExtensions([suffix])
    storage.SetDefaultWriteFileExtension(suffix)
