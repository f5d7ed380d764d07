"""What each segment is: remembered choices, names, Slicer's terminology, colour tables, label values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scene_nodes import add_segmentation, add_shared_layer, add_volume

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.mrml.segment_classes import rows_from_mapping, segment_rows, store_class, terminology_class

HEAD, TORSO = load_schema("head"), load_schema("torso")
ONE = np.ones((2, 2, 2), np.uint8)


def classes(rows: list[Any]) -> dict[str, str | None]:
    return {row.key: row.class_name for row in rows}


def entry(kind: str, region: str = "^^", modifier: str = "^^") -> str:
    return f"a list~SCT^123037004^Anatomical Structure~{kind}~{modifier}~Anatomic codes - DICOM master list~{region}~^^"


def label_map(values: list[int]) -> Any:
    return add_volume(np.array(values, np.int16).reshape(1, 1, -1), label_map=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("white_matter", "white_matter"),
        ("Left-Cerebral-White-Matter", "white_matter"),
        ("Brain Stem", "brainstem"),
        ("Eye L", "eyes"),
        ("Gray matter", "cortex"),
        ("ctx-rh-precentral", "cortex"),
        ("Muscles", "soft_tissue"),
        ("vertebrae_C1", "cancellous_bone"),
        ("Segment_1", None),
        ("lesion of the patient", None),
    ],
)
def test_names_are_known_in_many_spellings(mrml_scene: Any, name: str, expected: str | None) -> None:
    rows = segment_rows(add_segmentation({name: ONE}), HEAD)
    assert classes(rows) == {name: expected}


def test_every_name_of_totalsegmentator_is_known(mrml_scene: Any) -> None:
    from MedUSISLib.anatomy.mapping import load_mapping

    for schema in (HEAD, TORSO):
        mapping = load_mapping("totalsegmentator", schema)
        node = add_segmentation({entry.source_name: np.zeros(1) for entry in mapping.entries if entry.value})
        assert None not in classes(segment_rows(node, schema)).values()


def test_rows_keep_order_names_and_colours(mrml_scene: Any) -> None:
    node = add_segmentation({"b": ONE, "a": np.zeros((2, 2, 2))})
    node.GetSegmentation().GetSegment("b").SetColor(0.25, 0.5, 0.75)
    node.GetSegmentation().GetSegment("b").SetName("Skin")
    rows = segment_rows(node, HEAD)
    assert [row.key for row in rows] == ["b", "a"]
    assert (rows[0].name, rows[0].color, rows[0].class_name) == ("Skin", (0.25, 0.5, 0.75), "skin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (entry("SCT^12738006^Brain"), "brain"),
        (entry("SRT^T-A0100^Brain"), "brain"),
        (entry("SCT^85756007^Tissue", region="SCT^81745001^Eye"), "eyes"),
        (entry("SCT^272673000^Bone"), "cortical_bone"),
        (entry("SCT^85756007^Tissue"), None),
        ("", None),
        ("~~~", None),
        ("nonsense^", None),
    ],
)
def test_slicers_terminology_tells_the_class(text: str, expected: str | None) -> None:
    assert terminology_class(text, HEAD) == expected


def test_terminology_is_asked_when_the_name_says_nothing(mrml_scene: Any) -> None:
    node = add_segmentation({"Segment_1": ONE, "Skin": ONE})
    for key in ("Segment_1", "Skin"):
        node.GetSegmentation().GetSegment(key).SetTag("TerminologyEntry", entry("SCT^12738006^Brain"))
    rows = segment_rows(node, HEAD)
    assert classes(rows) == {"Segment_1": "brain", "Skin": "skin"}
    assert [row.known_by for row in rows] == ["terminology", "name"]


def test_choices_are_remembered_per_schema(mrml_scene: Any) -> None:
    node, labels = add_segmentation({"Skin": ONE, "x": ONE}), label_map([0, 1, 7])
    store_class(node, "x", "fat", "head")
    store_class(node, "Skin", "background", "head")
    store_class(labels, "7", "csf", "head")
    assert classes(segment_rows(node, HEAD)) == {"Skin": "background", "x": "fat"}
    assert classes(segment_rows(node, TORSO)) == {"Skin": "skin", "x": None}
    assert classes(segment_rows(labels, HEAD)) == {"1": None, "7": "csf"}
    store_class(node, "x", None, "head")
    store_class(labels, "7", None, "head")
    store_class(node, "no such segment", "fat", "head")
    assert classes(segment_rows(node, HEAD))["x"] is None
    assert classes(segment_rows(labels, HEAD))["7"] is None


def test_choices_survive_saving_the_scene(mrml_scene: Any, tmp_path: Any) -> None:
    import slicer

    node, labels = add_segmentation({"x": ONE, "y": ONE}), label_map([0, 1, 7])
    store_class(node, "x", "fat", "head")
    store_class(labels, "7", "csf", "head")
    node.AddDefaultStorageNode()
    path = str(tmp_path / "seg.seg.nrrd")
    node.GetStorageNode().SetFileName(path)
    assert node.GetStorageNode().WriteData(node)
    again = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(path)
    assert storage.ReadData(again)
    assert [row.class_name for row in segment_rows(again, HEAD)] == ["fat", None]
    mrml_scene.SetSaveToXMLString(1)
    mrml_scene.Commit()
    text = mrml_scene.GetSceneXMLString()
    mrml_scene.SetSaveToXMLString(0)
    mrml_scene.Clear(0)
    mrml_scene.SetLoadFromXMLString(1)
    mrml_scene.SetSceneXMLString(text)
    mrml_scene.Import()
    mrml_scene.SetLoadFromXMLString(0)
    loaded = mrml_scene.GetFirstNodeByClass("vtkMRMLLabelMapVolumeNode")
    assert loaded.GetAttribute("MedUSIS.Class.head") == '{"7": "csf"}'


def test_a_stored_class_that_the_schema_lost_is_forgotten(mrml_scene: Any) -> None:
    node = add_segmentation({"Skin": ONE})
    store_class(node, "Skin", "no_such_class", "head")
    assert classes(segment_rows(node, HEAD)) == {"Skin": "skin"}


def test_label_values_give_the_tool_away(mrml_scene: Any) -> None:
    rows = segment_rows(label_map([0, 2, 3, 41, 42]), HEAD)
    assert classes(rows) == {"2": "white_matter", "3": "cortex", "41": "white_matter", "42": "cortex"}
    assert {row.known_by for row in rows} == {"values"}
    assert classes(segment_rows(label_map([0, 1, 2]), HEAD)) == {"1": None, "2": None}


def test_numbered_segments_are_guessed_only_beyond_doubt(mrml_scene: Any) -> None:
    node = add_segmentation({f"Segment_{n}": ONE for n in (2, 3, 41, 42)})
    assert classes(segment_rows(node, HEAD))["Segment_41"] == "white_matter"
    drawn = add_segmentation({f"Segment_{n}": ONE for n in range(1, 11)})
    assert set(classes(segment_rows(drawn, HEAD)).values()) == {None}


def test_names_of_slicers_own_colour_tables_say_nothing(mrml_scene: Any) -> None:
    import slicer

    labels = label_map([0, 1, 2])
    labels.CreateDefaultDisplayNodes()
    slicer_table = mrml_scene.GetFirstNodeByClass("vtkMRMLColorTableNode")
    labels.GetDisplayNode().SetAndObserveColorNodeID(slicer_table.GetID())
    assert [row.name for row in segment_rows(labels, HEAD)] == ["Label 1", "Label 2"]
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode")
    own.SetTypeToUser()
    own.SetNumberOfColors(3)
    own.SetColor(1, "Left-Putamen", 0.5, 0.25, 0.0)
    own.SetColor(2, "Skin", 0.0, 0.25, 1.0)
    labels.GetDisplayNode().SetAndObserveColorNodeID(own.GetID())
    rows = segment_rows(labels, HEAD)
    assert [(row.name, row.class_name) for row in rows] == [("Left-Putamen", "deep_grey"), ("Skin", "skin")]
    assert rows[0].color == pytest.approx((0.5, 0.25, 0.0), abs=0.003)


def test_a_mapping_replaces_guesses(mrml_scene: Any, tmp_path: Any) -> None:
    rows = segment_rows(label_map([0, 1, 5, 200]), TORSO)
    assert classes(rows_from_mapping(rows, "totalsegmentator", TORSO)) == {"1": "spleen", "5": "liver", "200": None}
    node = add_segmentation({"Spleen": ONE, "Segment_5": ONE, "mine": ONE})
    named = rows_from_mapping(segment_rows(node, TORSO), "totalsegmentator", TORSO)
    assert classes(named) == {"Spleen": "spleen", "Segment_5": "liver", "mine": None}
    table = tmp_path / "table.csv"
    table.write_text("value,name,class\n1,mine,fat\n200,x,background\n", encoding="utf-8")
    assert classes(rows_from_mapping(rows, str(table), TORSO)) == {"1": "fat", "5": None, "200": "background"}
    assert classes(rows_from_mapping(segment_rows(node, TORSO), str(table), TORSO))["mine"] == "fat"


def test_looking_at_a_segmentation_changes_nothing(mrml_scene: Any) -> None:
    node = add_segmentation({})
    add_shared_layer(node, np.arange(8, dtype=np.uint8).reshape(2, 2, 2), {1: "Skin", 2: "x"})
    before = (node.GetMTime(), node.GetSegmentation().GetMTime(), mrml_scene.GetNumberOfNodes())
    segment_rows(node, HEAD)
    assert before == (node.GetMTime(), node.GetSegmentation().GetMTime(), mrml_scene.GetNumberOfNodes())
