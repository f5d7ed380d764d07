"""The stand-in for Slicer shows volumes in any layout of slice views, through the real MRML logics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SAMPLE = Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / "head_ct.nii.gz"
LAYOUT = 5731


def view(name, label, color, orientation="Axial", group=3):
    return f"""<item><view class="vtkMRMLSliceNode" singletontag="{name}">
        <property name="orientation" action="default">{orientation}</property>
        <property name="viewlabel" action="default">{label}</property>
        <property name="viewcolor" action="default">{color}</property>
        <property name="viewgroup" action="default">{group}</property>
    </view></item>"""


REVIEW = f"""<layout type="horizontal">
    <item><layout type="vertical">
        {view("Demo-CT", "CT", "#4DAF4A")}
        {view("Demo-Sagittal", "S", "#EDD54C", "Sagittal")}
    </layout></item>
    {view("Demo-MR", "MR", "#377EB8")}
    <item><view class="vtkMRMLTableViewNode" singletontag="Demo-Table"/></item>
</layout>"""


@pytest.fixture
def review(slicer_window):
    """The layout manager with the custom layout shown."""
    slicer = slicer_window.slicer
    manager = slicer.app.layoutManager()
    node = manager.layoutLogic().GetLayoutNode()
    if not node.IsLayoutDescription(LAYOUT):
        node.AddLayoutDescription(LAYOUT, REVIEW)
    manager.setLayout(LAYOUT)
    slicer.util.mainWindow().show()
    slicer_window.process_events()
    return manager


def composite(manager, name):
    return manager.sliceWidget(name).mrmlSliceCompositeNode()


def test_default_layout_has_the_views_of_slicer(slicer_window):
    manager = slicer_window.slicer.app.layoutManager()
    assert {"Red", "Green", "Yellow"} <= set(manager.sliceViewNames())
    assert manager.sliceWidget("Yellow").mrmlSliceNode().GetOrientation() == "Sagittal"
    assert manager.layout == slicer_window.slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert manager.sliceWidget("Blue") is None


def test_custom_layout_makes_the_views_it_names(review):
    assert review.visible_view_names() == ("Demo-CT", "Demo-Sagittal", "Demo-MR", "Demo-Table")
    widget = review.sliceWidget("Demo-MR")
    assert widget.visible and not review.sliceWidget("Red").visible
    assert widget.mrmlSliceNode().GetLayoutLabel() == "MR"
    assert widget.mrmlSliceNode().GetViewGroup() == 3
    assert composite(review, "Demo-MR") is not composite(review, "Demo-CT")
    assert review.sliceWidget("Demo-Sagittal").mrmlSliceNode().GetOrientation() == "Sagittal"


def test_earlier_layout_comes_back(slicer_window, review):
    changes = []
    review.connect("layoutChanged(int)", changes.append)
    review.setLayout(slicer_window.slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert review.visible_view_names() == ("Red",)
    assert review.sliceWidget("Red").visible and not review.sliceWidget("Demo-MR").visible
    assert changes == [slicer_window.slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView]
    review.disconnect("layoutChanged(int)", changes.append)


def test_unknown_layout_is_refused(review):
    with pytest.raises(ValueError, match="no layout description"):
        review.setLayout(987654)


def test_real_volume_is_rendered_in_three_views(slicer_window, review, tmp_path):
    slicer = slicer_window.slicer
    volume = slicer.util.loadVolume(SAMPLE, {"show": False})
    for name in ("Demo-CT", "Demo-MR", "Demo-Sagittal"):
        composite(review, name).SetBackgroundVolumeID(volume.GetID())
    slicer_window.process_events()
    review.resetSliceViews()
    picture = slicer_window.screenshot(review.viewport(), tmp_path / "review.png")
    import qt

    image = qt.QImage(str(picture))
    for name in ("Demo-CT", "Demo-MR", "Demo-Sagittal"):
        shown = review.sliceWidget(name).sliceView()
        center = shown.mapTo(review.viewport(), shown.rect.center())
        assert image.pixelColor(center).value() > 20, f"{name} shows no head in its middle"


def test_segmentation_is_drawn_over_the_volume(slicer_window, review, tmp_path):
    slicer = slicer_window.slicer
    volume = slicer.util.addVolumeFromArray(np.zeros((20, 20, 20), np.int16))
    composite(review, "Demo-CT").SetBackgroundVolumeID(volume.GetID())
    review.resetSliceViews()
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = segmentation.GetSegmentation().AddEmptySegment("all", "all", [1, 0, 0])
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.ones((20, 20, 20), np.uint8), segmentation, segment, volume)
    import qt

    image = qt.QImage(str(slicer_window.screenshot(review.sliceWidget("Demo-CT").sliceView(), tmp_path / "s.png")))
    color = image.pixelColor(image.width() // 2, image.height() // 2)
    assert color.red() > 60 > color.green()


def test_linked_views_follow_an_interaction(slicer_window, review):
    slicer = slicer_window.slicer
    volume = slicer.util.addVolumeFromArray(np.random.default_rng(0).integers(0, 99, (30, 20, 20)).astype(np.int16))
    for name in ("Demo-CT", "Demo-MR"):
        composite(review, name).SetBackgroundVolumeID(volume.GetID())
    review.resetSliceViews()
    moved, follower = review.sliceWidget("Demo-CT"), review.sliceWidget("Demo-MR")
    review.sliceWidget("Demo-CT").sliceController().setSliceLink(False)
    moved.sliceController().setSliceOffsetValue(5.0)
    assert follower.sliceLogic().GetSliceOffset() != pytest.approx(5.0)
    review.sliceWidget("Demo-CT").sliceController().setSliceLink(True)
    moved.sliceController().setSliceOffsetValue(7.0)
    assert follower.sliceLogic().GetSliceOffset() == pytest.approx(7.0)
    assert review.sliceWidget("Demo-Sagittal").sliceLogic().GetSliceOffset() != pytest.approx(7.0)


def test_crosshair_jump_moves_all_views(slicer_window, review):
    slicer = slicer_window.slicer
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, 3.0, 4.0, 5.0, slicer.vtkMRMLSliceNode.OffsetJumpSlice)
    assert review.sliceWidget("Demo-CT").sliceLogic().GetSliceOffset() == pytest.approx(5.0)
    to_ras = review.sliceWidget("Demo-Sagittal").mrmlSliceNode().GetSliceToRAS()
    assert to_ras.GetElement(0, 3) == pytest.approx(3.0)
    assert slicer.util.getNode("Crosshair").GetCrosshairName() == "default"


def test_table_view_shows_its_table(slicer_window, review):
    slicer = slicer_window.slicer
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    slicer.util.updateTableFromArray(table, [np.array([1.5, 2.5])], ["Dice"])
    view_node = slicer.mrmlScene.GetSingletonNode("Demo-Table", "vtkMRMLTableViewNode")
    view_node.SetTableNodeID(table.GetID())
    widgets = [review.tableWidget(index) for index in range(review.tableViewCount)]
    shown = next(widget for widget in widgets if widget.mrmlTableViewNode() is view_node)
    assert shown.tableView().model().rowCount() == 2


def test_node_added_hidden_or_renamed_shows_in_the_selector(slicer_window):
    slicer = slicer_window.slicer
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    seen = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    first = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "one")
    assert selector.currentNode() is first, "without noneEnabled something is always selected"
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "two").SetHideFromEditors(True)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "three")
    assert selector.nodeCount() == 1
    first.SetName("renamed")
    assert selector.comboBox().currentText == "renamed"
    selector.noneEnabled = True
    slicer.mrmlScene.RemoveNode(first)
    assert selector.currentNode() is None and seen == [first, None]
    with pytest.raises(TypeError):
        selector.setCurrentNode(3)
