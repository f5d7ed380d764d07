"""`slicer.app.ioManager()`: reads and writes with MRML's own storage nodes and module logics."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QObject, Signal

FILE_TYPES = {
    ".nii": "VolumeFile", ".nii.gz": "VolumeFile", ".nrrd": "VolumeFile", ".nhdr": "VolumeFile", ".mha": "VolumeFile",
    ".mhd": "VolumeFile", ".dcm": "VolumeFile", ".seg.nrrd": "SegmentationFile", ".mrk.json": "MarkupsFile",
    ".vtk": "ModelFile", ".vtp": "ModelFile", ".stl": "ModelFile", ".obj": "ModelFile", ".ply": "ModelFile",
    ".h5": "TransformFile", ".tfm": "TransformFile", ".tsv": "TableFile", ".csv": "TableFile", ".txt": "TextFile",
    ".ctbl": "ColorTableFile", ".mrml": "SceneFile", ".mrb": "SceneFile",
}  # fmt: skip
STORAGE_NODES = {
    "ModelFile": ("vtkMRMLModelNode", "vtkMRMLModelStorageNode"),
    "TransformFile": ("vtkMRMLLinearTransformNode", "vtkMRMLTransformStorageNode"),
    "TableFile": ("vtkMRMLTableNode", "vtkMRMLTableStorageNode"),
    "TextFile": ("vtkMRMLTextNode", "vtkMRMLTextStorageNode"),
    "SegmentationFile": ("vtkMRMLSegmentationNode", "vtkMRMLSegmentationStorageNode"),
}
LABELMAP, CENTERED, SINGLE_FILE, AUTO_WINDOW_LEVEL = 1, 2, 4, 8


class qSlicerIOManager(QObject):
    """The readers and writers that `slicer.util.load...`, `save...` and `exportNode` go through."""

    newFileLoaded = Signal("QVariantMap")

    def fileType(self, path: Any) -> str:
        name = str(path).lower()
        endings = sorted(FILE_TYPES, key=len, reverse=True)
        return next((FILE_TYPES[ending] for ending in endings if name.endswith(ending)), "")

    def loadNodes(self, file_type: str, properties: dict[str, Any], loaded: Any = None, messages: Any = None) -> bool:
        path = Path(str(properties["fileName"]))
        if not path.exists():
            if messages is not None:
                messages.AddMessage(vtk.vtkCommand.ErrorEvent, f"File does not exist: {path}")
            return False
        if file_type == "SceneFile":
            return self._load_scene(path, bool(properties.get("clear", False)))
        node = self._load(file_type, path, properties)
        if node is None:
            return False
        if loaded is not None:
            loaded.AddItem(node)
        self.newFileLoaded.emit({"fileType": file_type, "fileName": str(path), "nodeIDs": [node.GetID()]})
        return True

    def loadFile(self, path: str) -> bool:
        return self.loadNodes(self.fileType(path), {"fileName": path})

    def loadScene(self, path: str, clear: bool = True) -> bool:
        return self.loadNodes("SceneFile", {"fileName": path, "clear": clear})

    def saveScene(self, path: str, screenshot: Any = None) -> bool:
        return self.saveNodes("SceneFile", {"fileName": path})

    def saveNodes(self, file_type: str, properties: dict[str, Any], messages: Any = None) -> bool:
        path = str(properties["fileName"])
        if file_type == "SceneFile":
            return self._save_scene(path)
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        if "useCompression" in properties:
            storage.SetUseCompression(int(properties["useCompression"]))
        return bool(storage.WriteData(node))

    def exportNodes(
        self, node_ids: list[str], paths: list[str], properties: Any, world: bool = False, messages: Any = None
    ) -> bool:
        if world:
            raise NotImplementedError("exportNode(..., world=True) in this harness")
        for node_id, path in zip(node_ids, paths, strict=True):
            node = slicer.mrmlScene.GetNodeByID(node_id)
            storage = node.CreateDefaultStorageNode()
            storage.SetScene(slicer.mrmlScene)
            storage.SetFileName(str(path))
            if not storage.WriteData(node):
                return False
        return True

    def fileWriterFileType(self, node: Any, extension: str = "") -> str:
        return "SegmentationFile" if node.IsA("vtkMRMLSegmentationNode") else "NodeFile"

    def fileWriterExtensions(self, node: Any) -> list[str]:
        storage = node.CreateDefaultStorageNode()
        storage.SetScene(slicer.mrmlScene)
        types = storage.GetSupportedWriteFileTypes()
        return [types.GetValue(index) for index in range(types.GetNumberOfValues())]

    def extractKnownExtension(self, path: str, node: Any) -> str:
        endings = sorted(FILE_TYPES, key=len, reverse=True)
        return next((ending for ending in endings if path.lower().endswith(ending)), Path(path).suffix)

    def addDefaultStorageNodes(self) -> None:
        for node in slicer.util.getNodesByClass("vtkMRMLStorableNode"):
            if node.GetSaveWithScene() and node.GetStorageNode() is None:
                node.AddDefaultStorageNode()

    # Reading, by kind.
    def _load(self, file_type: str, path: Path, properties: dict[str, Any]) -> Any:
        name = properties.get("name") or path.name.split(".")[0]
        if file_type == "VolumeFile":
            return self._load_volume(path, name, properties)
        if file_type == "MarkupsFile":
            return slicer.mrmlScene.GetNodeByID(slicer.modules.markups.logic().LoadMarkups(str(path), name) or "")
        if file_type == "ColorTableFile":
            return slicer.modules.colors.logic().LoadColorFile(str(path), name)
        if file_type == "SegmentationFile" and not path.name.endswith(".seg.nrrd"):
            return self._load_labelmap_as_segmentation(path, name)
        if file_type in STORAGE_NODES:
            return self._load_with_storage_node(path, name, *STORAGE_NODES[file_type])
        logging.error("no reader for files of type %r", file_type)
        return None

    def _load_volume(self, path: Path, name: str, properties: dict[str, Any]) -> Any:
        options = LABELMAP * bool(properties.get("labelmap")) + CENTERED * bool(properties.get("center"))
        options += SINGLE_FILE * bool(properties.get("singleFile"))
        options += AUTO_WINDOW_LEVEL * bool(properties.get("autoWindowLevel", True))
        node = slicer.modules.volumes.logic().AddArchetypeVolume(str(path), name, options)
        if node is not None and properties.get("show", True):
            selection = slicer.app.applicationLogic().GetSelectionNode()
            if node.IsA("vtkMRMLLabelMapVolumeNode"):
                selection.SetReferenceActiveLabelVolumeID(node.GetID())
            else:
                selection.SetReferenceActiveVolumeID(node.GetID())
            slicer.app.applicationLogic().PropagateVolumeSelection(True)
        return node

    def _load_labelmap_as_segmentation(self, path: Path, name: str) -> Any:
        labelmap = slicer.modules.volumes.logic().AddArchetypeVolume(str(path), name, LABELMAP)
        if labelmap is None:
            return None
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.CreateDefaultDisplayNodes()
        slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labelmap, node)
        slicer.mrmlScene.RemoveNode(labelmap)
        return node

    def _load_with_storage_node(self, path: Path, name: str, node_class: str, storage_class: str) -> Any:
        node = slicer.mrmlScene.AddNewNodeByClass(node_class, name)
        storage = slicer.mrmlScene.AddNewNodeByClass(storage_class)
        storage.SetFileName(str(path))
        if not storage.ReadData(node):
            slicer.mrmlScene.RemoveNode(storage)
            slicer.mrmlScene.RemoveNode(node)
            return None
        node.SetAndObserveStorageNodeID(storage.GetID())
        if node.IsA("vtkMRMLDisplayableNode"):
            node.CreateDefaultDisplayNodes()
        return node

    # Scenes.
    def _load_scene(self, path: Path, clear: bool) -> bool:
        scene = slicer.mrmlScene
        if path.suffix == ".mrb":
            return bool(scene.ReadFromMRB(str(path), clear))
        scene.SetURL(str(path))
        return bool(scene.Connect() if clear else scene.Import()) or scene.GetErrorCode() == 0

    def _save_scene(self, path: str) -> bool:
        scene = slicer.mrmlScene
        if path.endswith(".mrb"):
            return bool(scene.WriteToMRB(path))
        if not path.endswith(".mrml"):
            return bool(scene.SaveSceneToSlicerDataBundleDirectory(path))
        scene.SetURL(path)
        scene.SetRootDirectory(str(Path(path).resolve().parent))
        return bool(scene.Commit())
