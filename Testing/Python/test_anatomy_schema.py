"""Label schemas: what is shipped, and that a broken schema file is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedUSISLib.anatomy.color_table import color_table, color_table_path
from MedUSISLib.anatomy.schema import LabelSchema, available_schemas, canonical_name, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError

HEAD = (
    "background skin fat soft_tissue cortical_bone cancellous_bone air csf cortex white_matter deep_grey cerebellum "
    "brainstem eyes vessels brain"
).split()

TABLE_A3 = (
    "Background,Kidney,Vessels,Gallbladder,Liver,Stomach,Pancreas,Adrenal,Lung,Vertebrae,Esophagus,Trachea,Heart,"
    "Pulmonary Artery,Small Bowel,Duodenum,Colon,Ribs,Humerus,Scapula,Clavicula,Femur,Hips,Sacrum,Autochthon,"
    "Iliopsoas,Urinary Bladder,Skin,Spleen,Fat,Skeletal Muscle"
).split(",")


def test_head_has_the_agreed_classes_in_order():
    assert list(load_schema("head").names) == HEAD


def test_torso_is_table_a3_of_the_thesis():
    assert list(load_schema("torso").names) == [canonical_name(name) for name in TABLE_A3]


def test_autopet_names_no_anatomy_that_is_not_known():
    schema = load_schema("autopet")
    assert schema.number_of_classes == 37
    assert list(schema.names[1:]) == [f"class_{index}" for index in range(1, 37)]
    shares = [float(label.note.split(" %")[0]) for label in schema.classes]
    assert sum(shares) == pytest.approx(100, abs=0.01)
    assert {label.tissue for label in schema.classes[1:]} == {"other"}


@pytest.mark.parametrize("schema_id", available_schemas())
def test_shipped_schema_survives_a_round_trip_and_has_distinct_colors(schema_id):
    schema = load_schema(schema_id)
    assert schema.id == schema_id
    assert LabelSchema.model_validate_json(schema.model_dump_json()) == schema
    assert len({label.color for label in schema.classes}) == schema.number_of_classes
    assert [schema.index_of(name) for name in schema.names] == list(range(schema.number_of_classes))
    assert all((label.snomed_code is None) == (label.snomed_meaning is None) for label in schema.classes)


@pytest.mark.parametrize("schema_id", available_schemas())
def test_committed_color_table_equals_the_generated_one(schema_id):
    committed = color_table_path(schema_id).read_text(encoding="utf-8")
    assert committed == color_table(load_schema(schema_id)), "run: python -m MedUSISLib.anatomy.color_table"


@pytest.mark.parametrize("schema_id", available_schemas())
def test_color_table_holds_what_slicer_reads(schema_id):
    schema = load_schema(schema_id)
    rows = [line.split() for line in color_table(schema).splitlines() if not line.startswith("#")]
    assert [(int(row[0]), row[1]) for row in rows] == list(enumerate(schema.names))
    assert [tuple(map(int, row[2:5])) for row in rows] == [label.color for label in schema.classes]
    assert [int(row[5]) for row in rows] == [0] + [255] * (schema.number_of_classes - 1)


def test_no_color_table_is_left_without_its_schema():
    tables = {path.stem for path in color_table_path("head").parent.glob("*.ctbl")}
    assert tables == set(available_schemas())


@given(st.sampled_from(HEAD), st.sampled_from(["upper", "blanks", "hyphens", "padded"]))
def test_class_is_found_however_it_is_written(name, manner):
    written = {
        "upper": name.upper(),
        "blanks": name.replace("_", " "),
        "hyphens": name.replace("_", "-"),
        "padded": f"  {name}\t",
    }[manner]
    assert load_schema("head").index_of(written) == HEAD.index(name)
    assert written in load_schema("head")


def test_unknown_class_is_a_named_error_with_the_nearest_names():
    with pytest.raises(MedUSISError) as caught:
        load_schema("head").index_of("white mater")
    assert caught.value.code == ErrorCode.UNKNOWN_LABELS
    assert "white_matter" in caught.value.hint


def test_tissues_group_classes():
    head = load_schema("head")
    assert {head.names[index] for index in head.indices_of_tissue("bone")} == {"cortical_bone", "cancellous_bone"}
    assert head.class_named("brain").tissue == "brain"


def _schema_file(folder: Path, **changes: object) -> Path:
    content = {
        "id": "tiny",
        "version": "1.0.0",
        "title": "Tiny",
        "body_region": "head",
        "classes": [
            {"index": 0, "name": "background", "title": "Background", "color": [0, 0, 0], "tissue": "air"},
            {"index": 1, "name": "bone", "title": "Bone", "color": [255, 255, 200], "tissue": "bone"},
            {"index": 2, "name": "skull", "title": "Skull", "color": [255, 0, 0], "tissue": "bone"},
        ],
    }
    for key, value in changes.items():
        if key.startswith("class_"):
            content["classes"][int(key[6:])].update(value)
        else:
            content[key] = value
    path = folder / "patient_name.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_schema_can_be_read_from_a_file(tmp_path):
    schema = load_schema(_schema_file(tmp_path, class_2={"merges_into": "bone"}))
    assert schema.names == ("background", "bone", "skull")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"class_1": {"index": 2}}, "indices run 0, 1, 2"),
        ({"class_2": {"name": "bone"}}, "used twice: bone"),
        ({"class_0": {"name": "air"}}, "must be 'background'"),
        ({"class_1": {"merges_into": "flesh"}}, "'flesh', which is not a class"),
        ({"class_1": {"merges_into": "skull"}, "class_2": {"merges_into": "bone"}}, "circle"),
        ({"class_1": {"merges_into": "bone"}}, "circle"),
        ({"class_1": {"color": [0, 0, 256]}}, "0 to 255"),
        ({"class_1": {"name": "Long bone"}}, "classes.1.name"),
        ({"class_1": {"tissue": "wood"}}, "classes.1.tissue"),
        ({"class_1": {"colour": [1, 2, 3]}}, "classes.1.colour"),
        ({"version": "one"}, "version"),
    ],
)
def test_broken_schema_is_refused_with_the_reason_and_without_the_file_name(tmp_path, changes, reason):
    path = _schema_file(tmp_path, **changes)
    with pytest.raises(MedUSISError) as caught:
        load_schema(path)
    assert caught.value.code == ErrorCode.BAD_SETTING
    assert reason in caught.value.message
    assert "patient_name" not in str(caught.value)
    assert caught.value.path == path


def test_file_that_is_not_json_is_refused(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(MedUSISError, match="JSON"):
        load_schema(path)


def test_unknown_schema_lists_the_known_ones():
    with pytest.raises(MedUSISError) as caught:
        load_schema("knee")
    assert "autopet, head, torso" in caught.value.hint
