"""The report: complete, self-contained, anonymous, and with the caution on it."""

from __future__ import annotations

import base64
import io
import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from report_example import PATIENT, egg_labels, example_result

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.synthesis.quality import quality_report
from MedUSISLib.synthesis.quality_guide import MEASURES
from MedUSISLib.synthesis.report import report_html, without_paths, write_montage_png, write_report
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE, SynthesisResult


def _with_quality(result: SynthesisResult) -> SynthesisResult:
    result.quality = quality_report(result, lambda mr: mr.with_array(egg_labels(mr.array_kji.shape)))
    return result


@pytest.fixture(scope="module")
def html() -> str:
    return report_html(_with_quality(example_result(noise_samples=3)))


class _Checker(HTMLParser):
    """Collects open tags and everything that could load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag not in ("meta", "img", "br", "link", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _pngs(html: str) -> list[np.ndarray]:
    from matplotlib.image import imread

    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", html)
    return [imread(io.BytesIO(base64.b64decode(data)), format="png") for data in found]


def test_the_page_is_well_formed_and_loads_nothing(html: str) -> None:
    checker = _Checker()
    checker.feed(html)
    assert checker.open == []
    assert all(link.startswith("data:image/png;base64,") for link in checker.links)
    assert not {"script", "link", "iframe", "object", "video"} & checker.tags
    assert "url(" not in html and "@import" not in html
    assert "default-src 'none'" in html


def test_it_names_no_patient_and_no_path(html: str) -> None:
    assert PATIENT not in html and "Meier" not in html and "/data/" not in html
    assert "[file]" in html  # the library's message was kept, without the path


def test_the_caution_stands_on_top_at_the_bottom_and_in_every_synthetic_picture(html: str) -> None:
    assert html.count(SYNTHETIC_NOTICE) >= 2
    pictures = _pngs(html)
    assert len(pictures) >= 4
    for dark in pictures[:2]:  # montage and series: the caution's yellow is there
        yellow = (dark[..., 0] > 0.9) & (dark[..., 1] > 0.7) & (dark[..., 2] < 0.4)
        assert yellow.sum() > 500


def test_every_measure_is_there_with_its_meaning(html: str) -> None:
    for measure in MEASURES:
        assert escape(measure.title) in html and escape(measure.worrying) in html


def test_it_shows_settings_provenance_limits_and_escapes_names(html: str) -> None:
    for text in ("truncation", "ab" * 32, "an egg is not a head", "Cerebral white matter", "Tests &amp; teaching."):
        assert text in html
    assert "<test>" not in html and "&lt;test&gt;" in html


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry((40, 48, 1), (4.0, 4.0, 5.0)),
        Geometry((16, 40, 48), (8.0, 4.0, 4.0), direction=(0, 0, 1.0, 1.0, 0, 0, 0, -1.0, 0)),
        Geometry((40, 40, 12), (4.0, 4.0, 12.0), direction=(0.8, 0.6, 0, -0.6, 0.8, 0, 0, 0, -1.0)),
        Geometry((8, 8, 8), (10.0, 10.0, 10.0)),
    ],
    ids=["single slice", "sagittal", "oblique and flipped", "tiny"],
)
def test_every_grid_can_be_shown(geometry: Geometry) -> None:
    html = report_html(_with_quality(example_result(geometry, passes=1)))
    assert len(_pngs(html)) >= 2


def test_an_empty_result_can_be_shown() -> None:
    result = example_result()
    for volume in (result.mr, result.labels, result.uncertainty, result.mask_consistency, result.body):
        volume.array_kji[...] = 0
    assert SYNTHETIC_NOTICE in report_html(_with_quality(result))


def test_files_are_written_whole(tmp_path: Path) -> None:
    result = _with_quality(example_result())
    page = write_report(result, tmp_path / "report.html")
    picture = write_montage_png(result, tmp_path / "montage.png", dpi=50)
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["montage.png", "report.html"]


def test_paths_are_taken_out_of_messages() -> None:
    result = example_result()
    assert without_paths(r"cannot open C:\scans\Meier\x.dcm now", result) == "cannot open [file] now"
    assert without_paths(f"bad header in {PATIENT}_seg.nii.gz", result) == "bad header in [file]"
    assert without_paths("licence CC BY 3.0/4.0, 1/2 of the slices", result) == (
        "licence CC BY 3.0/4.0, 1/2 of the slices"
    )
