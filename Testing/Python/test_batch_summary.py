"""summary.html and quality.csv: complete, in the order in which a person should look, and without a name."""

from __future__ import annotations

import csv
import random
import re
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from batch_result_example import PATIENT, figures, finished_batch
from report_example import egg_labels, example_result

from MedUSISLib.batch.figures_table import COLUMNS, write_quality_csv
from MedUSISLib.batch.folder import case_folder
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.report_thumbnail import report_thumbnail
from MedUSISLib.batch.states import CaseState
from MedUSISLib.batch.summary import write_summary
from MedUSISLib.synthesis.quality import quality_report
from MedUSISLib.synthesis.quality_guide import MEASURES
from MedUSISLib.synthesis.report import write_report
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE

WORST_FIRST: list[dict[str, Any]] = [
    figures("worry", True, 0.009, flags=1),
    figures("worry", True, 0.004, flags=1),
    figures("worry", False, flags=3),
    figures("worry", False, flags=1),
    figures("look", None, flags=1),
    figures("ok", False, 0.0018),
    figures("ok", False, 0.0004),
]


def rows_of(out: Path) -> list[dict[str, str]]:
    write_quality_csv(out)
    with (out / "quality.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def page_of(out: Path) -> str:
    write_summary(out)
    return (out / "summary.html").read_text(encoding="utf-8")


def words_of(html: str) -> str:
    """What a person reads."""

    class Reader(HTMLParser):
        text = ""
        hidden = False

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.hidden = tag == "style"

        def handle_data(self, data: str) -> None:
            self.text += "" if self.hidden else f" {data}"

    reader = Reader()
    reader.feed(html)
    return " ".join(reader.text.split())


def test_the_worst_come_first_in_both(tmp_path: Path) -> None:
    order = list(range(len(WORST_FIRST)))
    random.Random(4).shuffle(order)
    out = finished_batch(tmp_path / "out", [WORST_FIRST[n] for n in order], more=3)
    with Manifest.open(out) as manifest:
        manifest.change(len(order) + 1, state=CaseState.SKIPPED, code="BAD_SETTING", message="nobody segmented it")
        manifest.change(len(order) + 2, state=CaseState.FAILED, code="NOT_A_CT", message="it is no CT", hint="give one")
    expected = [f"case-{order.index(n) + 1:04d}" for n in range(len(order))]
    expected += ["case-0009", "case-0008", "case-0010"]
    rows = rows_of(out)
    assert [row["case"] for row in rows] == expected
    assert [row["state"] for row in rows[-3:]] == ["failed", "skipped", "waiting"]
    assert re.findall(r"<b><a href=[^>]*>(case-\d+)</a></b>", page_of(out)) == expected[:-3]


def test_columns_are_those_of_the_guide_and_hold_its_numbers(tmp_path: Path) -> None:
    out = finished_batch(tmp_path / "out", [figures("worry", True, 0.00312, flags=2)])
    (row,) = rows_of(out)
    assert list(row) == list(COLUMNS)
    assert {measure.key.replace(".", "_") for measure in MEASURES} <= set(row)
    assert (row["review"], row["verdict"], row["worrying"], row["to_look_at"]) == ("true", "worry", "2", "0")
    assert float(row["uncertainty_global"]) == 0.00312 and float(row["body_hd95_mm"]) == 12.0
    assert row["seam_index"] == "" and row["warnings"] == "SEGMENTATION_RESAMPLED" and row["seconds"] == "51"


def test_the_documentation_names_every_column() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "batch.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in text] == []


def test_the_page_says_what_to_do_and_what_was_left_out(tmp_path: Path) -> None:
    out = finished_batch(tmp_path / "out", [figures("worry", True, flags=5), figures("look", flags=1), None], more=3)
    with Manifest.open(out) as manifest:
        for number in (4, 5):
            manifest.change(
                number, state=CaseState.FAILED, code="NOT_A_CT", message="the CT has no air", hint="give a CT"
            )
    text = words_of(page_of(out))
    for words in (
        "3 of 6 synthetic MRs are done.",
        "Review one of them before any use",
        "Have a look at one of them",
        "Of one of them no figures can be read.",
        "2 cases failed",
        "1 case is not finished",
        "case-0004 , case-0005 failed NOT_A_CT the CT has no air give a CT",
        "and 2 more in its report",
        "Body outline, distance: 12.0 mm.",
        "Uncertainty: 0.50 x the bound",
        "images that are no CT NOT_A_CT 3",
        "segmentation resampled SEGMENTATION_RESAMPLED 2",
        "3 minutes from the first start to the last end; 2 workers took part",
        "generator from a folder",
    ):
        assert words in text, words
    assert text.count(SYNTHETIC_NOTICE) >= 2


def test_a_batch_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    out = finished_batch(tmp_path / "out", [], more=2)
    text = words_of(page_of(out))
    assert "0 of 2 synthetic MRs are done." in text and "No case is done yet" in text
    assert [row["state"] for row in rows_of(out)] == ["waiting", "waiting"]


def without_pictures(html: str) -> str:
    """In a packed picture three letters occur by chance."""
    return re.sub("base64,[A-Za-z0-9+/=]+", "", html)


def test_nobody_is_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    out = finished_batch(tmp_path / PATIENT / "out", [figures("worry", True, flags=1), None], more=1)
    with Manifest.open(out) as manifest:
        manifest.change(3, state=CaseState.FAILED, code="NOT_A_CT", message='<b>bold</b> & "quoted"')
    html = page_of(out)
    rows_of(out)
    table = (out / "quality.csv").read_text(encoding="utf-8")
    for text in (html, table):
        assert not re.search("Mueller|Hans|1961|nii", without_pictures(text)) and str(tmp_path) not in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    targets = re.findall(r'(?:href|src)="([^"]+)"', html)
    assert targets and all(t.startswith(("cases/case-", "quality.csv", "data:image/jpeg;base64,")) for t in targets)
    assert "<script" not in html and "default-src 'none'" in html
    assert sorted(p.name for p in out.iterdir()) == ["cases", "manifest.sqlite", "quality.csv", "summary.html"]


@pytest.mark.fault("a damaged quality.json in a batch")
@pytest.mark.parametrize("damage", ["", "[1]", '{"flags": [3], "verdict": 7, "uncertainty": null, "warnings": true}'])
def test_damaged_figures_cost_their_case_alone(tmp_path: Path, damage: str) -> None:
    out = finished_batch(tmp_path / "out", [figures("look", flags=1), figures("ok")])
    (case_folder(out, 2) / "quality.json").write_text(damage)
    assert [row["case"] for row in rows_of(out)] == ["case-0001", "case-0002"]
    assert "Of one of them no figures can be read." in words_of(page_of(out))


def test_pictures_come_from_the_reports(tmp_path: Path) -> None:
    from PIL import Image

    out = finished_batch(tmp_path / "out", [figures("ok")])
    report = case_folder(out, 1) / "report.html"
    assert report_thumbnail(report) is None and report_thumbnail(tmp_path / "none") is None
    result = example_result()
    result.quality = quality_report(result, lambda mr: mr.with_array(egg_labels(mr.array_kji.shape)))
    write_report(result, report)
    jpeg = report_thumbnail(report)
    assert jpeg is not None and len(jpeg) < 40_000
    (tmp_path / "shot.jpg").write_bytes(jpeg)
    with Image.open(tmp_path / "shot.jpg") as image:
        assert max(image.size) <= 340 and sum(image.convert("L").histogram()[100:]) > 500, "there is something to see"
    assert "data:image/jpeg;base64," in page_of(out)
    assert not (out / "summary.html").stat().st_mode & stat.S_IXUSR
