"""What is exported is read back by parsers that follow each program's published format, field by field."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from study_example import SECRET, lesion_protocol, small, turing_protocol, write_cases
from study_readers import lesion_reader, read, run, turing_reader

from MedUSISLib.errors import MedUSISError
from MedUSISLib.study.building import new_study
from MedUSISLib.study.export.export import ExportFormat, export_study
from MedUSISLib.study.key import load_study
from MedUSISLib.study.merging import merge_answers
from MedUSISLib.study.protocol import Arm, Randomisation, visual_turing
from MedUSISLib.study.readings import Reading, readings
from MedUSISLib.study.statistics.figures import EmpiricalAuc
from MedUSISLib.study.statistics.free_response import AfrocArea
from MedUSISLib.study.statistics.from_readings import case_ratings, lesion_marks
from MedUSISLib.study.statistics.lesion_table import LesionTable
from MedUSISLib.study.statistics.rating_table import RatingTable

READERS = ("R1", "R2", "R3")
ARMS = (Arm(id="ct", panels=("ct",)), Arm(id="ct-synthetic", panels=("ct", "synthetic")))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("hospital"), 7)


@pytest.fixture(scope="module")
def lesions(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Merged answers of three readers lie in the study; the third one is not done."""
    folder = tmp_path_factory.mktemp("lesions")
    study = folder / "study"
    new_study(table, lesion_protocol(readers=READERS, arms=ARMS), study, secret=SECRET)
    key = load_study(study)[1]
    find = {"ct": 0.6, "ct-synthetic": 0.9}
    paths = [
        read(study, reader, folder / f"{reader}.sqlite", lesion_reader(key, n, find, 0.6), stop=5 if n == 2 else 99)
        for n, reader in enumerate(READERS)
    ]
    merge_answers(study, paths, study / "answers.sqlite")
    return study


@pytest.fixture(scope="module")
def turing(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("turing")
    study = folder / "study"
    new_study(table, turing_protocol(), study, secret=SECRET)
    key = load_study(study)[1]
    paths = [read(study, r, folder / f"{r}.sqlite", turing_reader(key, n, 0.7)) for n, r in enumerate(("R1", "R2"))]
    merge_answers(study, paths, study / "answers.sqlite")
    return study


def of_study(study: Path, *readers: str) -> list[Reading]:
    """What was answered to trials that count, by these readers."""
    found = readings(study, study / "answers.sqlite")
    return [r for r in found if r.reader in readers and not r.training and not r.repeat_of]


def parsed_imrmc(path: Path) -> tuple[dict[str, int], dict[str, int], list[tuple[str, str, str, float]]]:
    """As iMRMC's InputFile reads it: header numbers by their key at the start of a line, in any order; after
    "BEGIN DATA:" four fields between commas, spaces dropped; readers "-1" and "truth" give the truth, 0 or 1, one row
    for each case; no reader says two scores of a case in a modality; the numbers must be those of the data."""
    lines = path.read_text(encoding="ascii").splitlines()
    start = next(n for n, line in enumerate(lines) if "BEGIN DATA:" in line.upper())
    header: dict[str, int] = {}
    for line in lines[:start]:
        assert len(line) != 1  # iMRMC looks at the last two characters
        for name in ("N0:", "N1:", "NR:", "NM:"):
            if name in line.upper():
                assert line.upper().startswith(name) and name[:2] not in header
                header[name[:2]] = int(line[3:].strip())
    truth: dict[str, int] = {}
    scores: dict[tuple[str, str, str], float] = {}
    for line in lines[start + 1 :]:
        fields = ["".join(field.split()) for field in line.split(",")]
        assert len(fields) == 4
        reader, case, modality, score = fields
        if reader in ("-1", "truth"):
            assert case not in truth
            truth[case] = int(score)
        else:
            assert (reader, case, modality) not in scores
            scores[reader, case, modality] = float(score)
    assert header["N0"] == sum(v == 0 for v in truth.values()) and header["N1"] == sum(v == 1 for v in truth.values())
    assert header["NR"] == len({r for r, _, _ in scores}) and header["NM"] == len({m for _, _, m in scores})
    assert {c for _, c, _ in scores} == set(truth)
    return header, truth, [(*key, score) for key, score in scores.items()]


def test_imrmc(lesions: Path, tmp_path: Path) -> None:
    done = export_study(lesions, [], ExportFormat.IMRMC, tmp_path / "study")
    header, truth, scores = parsed_imrmc(tmp_path / "study.imrmc")
    assert header == {"NR": 2, "N0": 3, "N1": 3, "NM": 2} and done.rows == len(scores) == 24
    assert done.remarks == ("left out, not done yet: R3",)
    mine = of_study(lesions, "R1", "R2")
    assert {(r.reader, r.case, r.arm): r.values["confidence"] for r in mine} == {
        (reader, f"C{int(case):03}", modality): score for reader, case, modality, score in scores
    }
    assert {r.case: int(bool(r.status)) for r in mine} == {f"C{int(case):03}": value for case, value in truth.items()}
    rows = [{"reader": r, "case": c, "test": m, "truth": truth[c], "rating": s} for r, c, m, s in scores]
    assert EmpiricalAuc(RatingTable.from_rows(rows)).values() == pytest.approx(
        EmpiricalAuc(case_ratings(mine)).values()
    )


def test_imrmc_of_a_visual_turing_test_has_images_as_cases(turing: Path, tmp_path: Path) -> None:
    export_study(turing, [], ExportFormat.IMRMC, tmp_path / "t.imrmc")
    before = (tmp_path / "t.imrmc").read_bytes()
    with pytest.raises(MedUSISError, match="such a file"):
        export_study(turing, [], ExportFormat.IMRMC, tmp_path / "t.imrmc")
    assert (tmp_path / "t.imrmc").read_bytes() == before
    export_study(turing, [], ExportFormat.IMRMC, tmp_path / "t.imrmc", overwrite=True)
    header, truth, scores = parsed_imrmc(tmp_path / "t.imrmc")
    assert header == {"NR": 2, "N0": 6, "N1": 6, "NM": 1}
    sign = {"real": -1, "synthetic": 1, "unsure": 0}
    expected = {
        (r.reader, str(10 * int(r.case[1:]) + (1 if r.arm == "real" else 2))): sign[r.values["source"]]
        * r.values["confidence"]
        for r in of_study(turing, "R1", "R2")
    }
    assert {(reader, case): score for reader, case, _, score in scores} == expected
    assert all(value == (case[-1] == "2") for case, value in truth.items())


def test_mrmcaov(lesions: Path, tmp_path: Path) -> None:
    """As its data sets: reader, treatment, case, truth (1 positive, 0 negative), rating; each combination once."""
    done = export_study(lesions, [], ExportFormat.MRMCAOV, tmp_path / "m.csv")
    with (tmp_path / "m.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["reader", "treatment", "case", "truth", "rating"] and done.rows == len(rows)
    assert {row["truth"] for row in rows} == {"0", "1"}
    cells = {(row["reader"], row["treatment"], row["case"]): float(row["rating"]) for row in rows}
    readers, treatments, cases = (sorted({key[n] for key in cells}) for n in range(3))
    assert len(cells) == len(rows) == len(readers) * len(treatments) * len(cases)  # a full factorial design
    truth = {row["case"]: row["truth"] for row in rows}
    assert all(truth[row["case"]] == row["truth"] for row in rows)
    mine = of_study(lesions, "R1", "R2")
    assert cells == {(r.reader, r.arm, str(int(r.case[1:]))): r.values["confidence"] for r in mine}


def parsed_rjafroc(path: Path) -> dict[str, Any]:
    """As RJafroc's DfReadDataFile(newExcelFileFormat = TRUE) reads and checks it."""
    book = load_workbook(path, read_only=True)
    names = sorted(name.upper() for name in book.sheetnames)
    assert len(names) == 3 and names[0] in ("FP", "NL") and names[1] in ("TP", "LL") and names[2] == "TRUTH"
    sheets = {sheet.title.upper(): [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book}
    head, *truth = sheets["TRUTH"]
    assert head == ["CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm"]
    assert not any(value is None for row in truth for value in row[:5])
    assert all(isinstance(value, int) for row in truth for value in row[:2])
    paradigm = [row[5].upper() for row in truth if row[5] is not None]
    assert paradigm == ["FROC", "FCTRL"]
    for before, row in zip([None, *truth], truth, strict=False):  # sequential numbers within a case
        assert row[1] in (0, 1) or (before is not None and row[1] == before[1] + 1)
    readers = {tuple(name for name in row[3].replace(",", " ").split()) for row in truth}
    modalities = {tuple(name for name in row[4].replace(",", " ").split()) for row in truth}
    assert len(readers) == len(modalities) == 1  # the same in all rows: crossed
    assert len(truth[0][3].split(",")) == len(next(iter(readers)))
    weights: dict[int, float] = {}
    for case, lesion, weight, *_ in truth:
        weights[case] = weights.get(case, 0) + weight
        assert lesion > 0 or weight == 0
    normal = {row[0] for row in truth if row[1] == 0}
    abnormal = {row[0] for row in truth if row[1] > 0}
    assert not normal & abnormal and all(0.99 <= weights[case] <= 1.01 for case in abnormal)
    head, *false = sheets["FP"]
    assert head == ["ReaderID", "ModalityID", "CaseID", "FP_Rating"] and false
    assert all(isinstance(row[3], (int, float)) and row[2] in normal | abnormal for row in false)
    head, *hits = sheets["TP"]
    assert head == ["ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating"] and hits
    known = {(row[0], row[1]) for row in truth}
    assert all((row[2], row[3]) in known and row[2] not in normal for row in hits)
    assert len({tuple(row[:4]) for row in hits}) == len(hits)
    named = {(row[0], row[1]) for row in (*false, *hits)}
    assert named <= {(r, m) for r in next(iter(readers)) for m in next(iter(modalities))}
    return {
        "readers": next(iter(readers)),
        "modalities": next(iter(modalities)),
        "truth": truth,
        "false": false,
        "hits": hits,
    }


def test_rjafroc(lesions: Path, tmp_path: Path) -> None:
    done = export_study(lesions, [], ExportFormat.RJAFROC, tmp_path / "froc.xlsx")
    found = parsed_rjafroc(tmp_path / "froc.xlsx")
    assert found["readers"] == ("R1", "R2") and set(found["modalities"]) == {"ct", "ct-synthetic"}
    assert done.rows == len(found["false"]) + len(found["hits"]) and "left out, not done yet: R3" in done.remarks
    mine = of_study(lesions, "R1", "R2")
    hits = {(r.reader, r.arm, r.case, m.lesion): m.mark.confidence for r in mine for m in r.marks
            if m.outcome.value == "hit"}  # fmt: skip
    assert hits == {(r, m, f"C{case:03}", lesion): rating for r, m, case, lesion, rating in found["hits"]}
    false = sorted((r.reader, r.arm, r.case, m.mark.confidence) for r in mine for m in r.marks
                   if m.outcome.value == "false-positive")  # fmt: skip
    assert false == sorted((r, m, f"C{case:03}", rating) for r, m, case, rating in found["false"])
    # The figure of merit of what is in the file is that of the study.
    lesion_rows = [{"case": c, "lesion": lesion or "", "weight": w or 1} for c, lesion, w, *_ in found["truth"]]
    marks = [{"reader": r, "test": m, "case": c, "lesion": "", "rating": x} for r, m, c, x in found["false"]]
    marks += [{"reader": r, "test": m, "case": c, "lesion": n, "rating": x} for r, m, c, n, x in found["hits"]]
    own = AfrocArea(LesionTable.from_rows(lesion_rows, marks, ["R1", "R2"], ["ct", "ct-synthetic"])).values()
    ours = lesion_marks(mine)
    order = [ours.tests.index(name) for name in ("ct", "ct-synthetic")]
    assert own == pytest.approx(AfrocArea(ours).values()[order])


def test_what_rjafroc_cannot_read_is_refused(lesions: Path, turing: Path, tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="marks of lesions"):
        export_study(turing, [], ExportFormat.RJAFROC, tmp_path / "t.xlsx")
    quiet = [
        read(lesions, r, tmp_path / f"{r}.sqlite", lambda now: {"present": "no", "confidence": 0.0, "marks": []})
        for r in READERS
    ]
    with pytest.raises(MedUSISError, match="there is no hit"):
        export_study(lesions, quiet, ExportFormat.RJAFROC, tmp_path / "q.xlsx")
    with pytest.raises(MedUSISError, match=r"is called \*\.xlsx"):
        export_study(lesions, [], ExportFormat.RJAFROC, tmp_path / "froc.xls")
    assert not list(tmp_path.glob("*.xls*"))


def test_a_forced_choice_has_no_rating_of_single_cases(table: Path, tmp_path: Path) -> None:
    protocol = small(visual_turing("pairs", ("R1",), True, Randomisation(gap=1)))
    new_study(table, protocol, tmp_path / "study", secret=SECRET)
    key = load_study(tmp_path / "study")[1]
    answers = [read(tmp_path / "study", "R1", tmp_path / "R1.sqlite", turing_reader(key, 0, 0.7))]
    with pytest.raises(MedUSISError, match="no rating of single cases"):
        export_study(tmp_path / "study", answers, ExportFormat.IMRMC, tmp_path / "p.imrmc")
    assert export_study(tmp_path / "study", answers, ExportFormat.CSV, tmp_path / "tables").rows == 7


def test_tables_hold_everything(lesions: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    done = export_study(lesions, [], ExportFormat.CSV, out)
    tables = {}
    for name in ("answers", "marks", "lesions", "forms"):
        with (out / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            tables[name] = list(csv.DictReader(stream))
    everything = readings(lesions, lesions / "answers.sqlite")
    assert done.rows == len(tables["answers"]) == len(everything)
    assert sum(row["training"] == "yes" for row in tables["answers"]) == sum(r.training for r in everything)
    assert len(tables["marks"]) == sum(len(r.marks) for r in everything)
    first = tables["marks"][0]
    mark = next(r for r in everything if r.marks).marks[0]
    assert float(first["x_lps_mm"]) == mark.mark.position_lps_mm[0] and first["outcome"] == mark.outcome.value
    key = load_study(lesions)[1]
    assert sum(bool(row["lesion"]) for row in tables["lesions"]) == sum(len(case.lesions) for case in key.cases)
    assert {(row["reader"], row["form"]) for row in tables["forms"]} == {
        ("R1", "profile"), ("R2", "profile"), ("R3", "profile"), ("R1", "closing"), ("R2", "closing"),
    }  # fmt: skip
    # The tables of marks and lesions are those that `medusis study mrmc` takes.
    kept = [row for row in tables["marks"] if row["training"] == "no" and row["reader"] != "R3"]
    cases = {row["case"] for row in tables["answers"] if row["training"] == "no"}
    known = [row for row in tables["lesions"] if row["case"] in cases]
    table = LesionTable.from_rows(known, [row for row in kept if row["outcome"] != "duplicate"])
    assert len(table.cases) == 6 and len(table.lesion_case) == 6


def test_exports_by_the_command_line(lesions: Path, tmp_path: Path) -> None:
    said = run("export", lesions, "--format", "imrmc", "--out", tmp_path / "a.imrmc")
    assert "24 rows" in said and "remark: left out, not done yet: R3" in said
    assert "rows" in run("export", lesions, "--format", "csv", "--out", tmp_path / "tables",
                         "--answers", lesions / "answers.sqlite")  # fmt: skip
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x", encoding="utf-8")
    assert "BAD_SETTING" in run("export", lesions, "--format", "csv", "--out", tmp_path / "mine", code=2)
