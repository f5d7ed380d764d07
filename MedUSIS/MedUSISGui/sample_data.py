"""The bundled head, in Slicer's Sample Data module and for the tutorial. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CATEGORY = "MedUSIS"
SAMPLE_NAME = "MedUSIS head CT"
CT_NAME = "Head CT"
SEGMENTATION_NAME = "Head CT segmentation"
SCHEMA = "head"
CT_WINDOW_HU = (80.0, 40.0)  # width, level: brain

_THUMBNAIL = Path(__file__).resolve().parents[1] / "Resources" / "Icons" / "MedUSISHeadCT.png"


def register_sample_data() -> None:
    """Put the bundled head into the Sample Data module; registering twice has no further effect.

    To be called when the application has started, because the Sample Data module must be there.
    """
    try:
        import SampleData
    except ImportError:  # Slicer was started without that module
        return

    logic = SampleData.SampleDataLogic
    if hasattr(logic, "registerCustomSampleDataCategory"):  # newer than 5.12
        logic.registerCustomSampleDataCategory(CATEGORY, title=CATEGORY)
    if any(source.sampleName == SAMPLE_NAME for source in logic.sampleDataSourcesByCategory(CATEGORY)):
        return
    ct, labels = _files()
    logic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=SAMPLE_NAME,
        uris=[ct.as_uri(), labels.as_uri()],
        fileNames=[ct.name, labels.name],
        nodeNames=[CT_NAME, SEGMENTATION_NAME],
        thumbnailFileName=str(_THUMBNAIL),
        loadFileTypes=["VolumeFile", "SegmentationFile"],
        customDownloader=_load_for_sample_data_module,
    )


def load_sample_data() -> tuple[Any, Any]:
    """Load the bundled head into the scene.

    Returns
    -------
    tuple of vtkMRMLScalarVolumeNode and vtkMRMLSegmentationNode
        The CT, and its segmentation with the names and colours of the ``head`` schema, in one study.
    """
    import slicer

    from MedUSISLib.mrml.loading import load_labels, load_volume
    from MedUSISLib.mrml.schema_segments import segmentation_from_labels

    ct_file, labels_file = _files()
    ct = load_volume(ct_file, slicer.mrmlScene.GenerateUniqueName(CT_NAME))
    _show_brain(ct)
    labels = load_labels(labels_file, "Labels of the head")
    try:
        name = slicer.mrmlScene.GenerateUniqueName(SEGMENTATION_NAME)
        segmentation = segmentation_from_labels(labels, SCHEMA, name)
    finally:
        slicer.mrmlScene.RemoveNode(labels)
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    _put_into_one_study(ct, segmentation)
    return ct, segmentation


def _load_for_sample_data_module(source: Any = None) -> list[Any]:
    """What the Sample Data module calls; also shows the CT."""
    import slicer

    ct, segmentation = load_sample_data()
    if hasattr(slicer, "app"):
        slicer.util.setSliceViewerLayers(background=ct, fit=True)
    return [ct, segmentation]


def _files() -> tuple[Path, Path]:
    from MedUSISLib.resources import resource_path

    return resource_path("SampleData", "head_ct.nii.gz"), resource_path("SampleData", "head_seg.nii.gz")


def _show_brain(ct: Any) -> None:
    display = ct.GetScalarVolumeDisplayNode()
    if display is not None:
        display.AutoWindowLevelOff()
        display.SetWindowLevel(*CT_WINDOW_HU)


def _put_into_one_study(ct: Any, segmentation: Any) -> None:
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchy is None:
        return
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "MedUSIS sample")
    study = hierarchy.CreateStudyItem(patient, "Head")
    for node in (ct, segmentation):
        item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(study, node)
        hierarchy.SetItemParent(item, study)
