"""Tables: label mappings, ratings, marks, cases of a study, cases of a batch."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from faults.kind import NAME, Kind
from faults.settings_oracle import require_finite
from faults.table_faults import spoil_table
from MedUSISLib.anatomy.mapping import LabelMapping, load_mapping
from MedUSISLib.anatomy.schema import canonical_name, load_schema
from MedUSISLib.batch.case import FoundCases
from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.study.case_table import CaseRow, read_case_table
from MedUSISLib.study.statistics.covariances import CovarianceMethod
from MedUSISLib.study.statistics.free_response import AfrocArea
from MedUSISLib.study.statistics.lesion_table import LesionTable
from MedUSISLib.study.statistics.mrmc import FIGURES, analyse_mrmc
from MedUSISLib.study.statistics.mrmc_text import mrmc_text
from MedUSISLib.study.statistics.rating_table import RatingTable


def _table(folder: Path) -> Path:
    return folder / f"{NAME}.csv"


def _write(folder: Path, lines: list[str]) -> None:
    _table(folder).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _spoil(random: Random, folder: Path, name: str = "") -> str:
    path = folder / name if name else _table(folder)
    content, done = spoil_table(random, path.read_bytes())
    path.write_bytes(content)
    return done


def _make_mapping(folder: Path) -> None:
    _write(
        folder,
        ["value,name,class", "1,Skin,skin", "2,Muscle,soft_tissue", "10-12,Skull,cortical_bone", "40,Brain,9", "# end"],
    )


def _verify_mapping(folder: Path, mapping: LabelMapping) -> None:
    """Every plain row of the file is in the mapping, the later one winning; nothing else is."""
    head = load_schema("head")
    text = _table(folder).read_text(encoding="utf-8-sig").replace("\0", "")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    separator = max(",;\t", key=lines[0].count)
    names = [cell.strip().lower() for cell in next(csv.reader([lines[0]], delimiter=separator))]
    wanted = {0: 0}
    for line in lines[1:]:
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
        if not any(cells):
            continue
        row = dict(zip(names, cells, strict=False))
        first, last = re.fullmatch(r"([+-]?\d+)\s*(?:-\s*([+-]?\d+))?", row["value"]).groups()  # type: ignore[union-attr]
        name = row["class"]
        index = int(name) if name.isdecimal() and int(name) < 16 else head.names.index(canonical_name(name))
        wanted |= dict.fromkeys(range(int(first), int(last or first) + 1), index)
    assert mapping.index_of_value == wanted, f"{mapping.index_of_value} is not {wanted}"
    values = np.array(sorted(wanted)[:100])
    assert mapping.apply(values).tolist() == [wanted[value] for value in values.tolist()]


def _make_ratings(folder: Path) -> None:
    random = Random(3)
    lines = ["reader,test,case,truth,rating"]
    for reader in ("A", "B", "C"):
        for test in ("ct", "both"):
            for case in range(10):
                lines.append(f"{reader},{test},c{case},{case % 2},{random.gauss(case % 2, 1):.3f}")
    _write(folder, lines)


def _analyse(figure: Any) -> Any:
    result = analyse_mrmc(figure, CovarianceMethod("jackknife"), 0.95, 50, 0)
    mrmc_text(result)
    return result.as_dict()


def _verify_figures(folder: Path, result: Any) -> None:
    require_finite(result)


def _make_marks(folder: Path) -> None:
    random = Random(4)
    lines = ["reader,test,case,lesion,rating"]
    for reader in ("A", "B"):
        for test in ("ct", "both"):
            for case in range(6):
                lines.append(f"{reader},{test},c{case},{'1' if case % 2 else ''},{random.randint(1, 9)}")
    _write(folder, lines)
    (folder / "lesions.csv").write_text(
        "case,lesion,weight\n" + "".join(f"c{n},{'1' if n % 2 else ''},{'1' if n % 2 else ''}\n" for n in range(6)),
        encoding="utf-8",
    )


def _spoil_marks(random: Random, folder: Path) -> str:
    return _spoil(random, folder, "lesions.csv" if random.random() < 0.5 else "")


@lru_cache(maxsize=1)
def _image() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        volume = Volume(np.zeros((2, 3, 4), np.int16), Geometry((4, 3, 2)))
        return write_volume(volume, Path(folder) / "image.nii.gz").read_bytes()


def _make_cases(folder: Path) -> None:
    for name in ("a_ct", "a_mr", "a_seg", "b_ct", "b_mr", "b_seg"):
        (folder / f"{name}.nii.gz").write_bytes(_image())
    _write(folder, [
        "case,real,ct,lesions,stratum,status,training,slice",
        "a,a_mr.nii.gz,a_ct.nii.gz,a_seg.nii.gz,x,yes,no,0.5",
        "b,b_mr.nii.gz,b_ct.nii.gz,,y,no,yes,",
    ])  # fmt: skip


def _verify_cases(folder: Path, rows: list[CaseRow]) -> None:
    assert rows
    for row in rows:
        assert row.images
        assert row.slice_fraction is None or 0 <= row.slice_fraction <= 1
        for path in (*row.images.values(), *([row.lesions] if row.lesions else [])):
            assert path.exists(), "a file that is not there"


def _make_batch(folder: Path) -> None:
    _make_cases(folder)
    _write(folder, [
        "id,ct,segmentation,labels", "head 1,a_ct.nii.gz,a_seg.nii.gz,synthseg", "head 2,b_ct.nii.gz,,",
    ])  # fmt: skip


def _verify_batch(folder: Path, found: FoundCases) -> None:
    assert found.cases or found.problems, "nothing, and not a word about it"
    keys = [case.key for case in found.cases]
    assert len(set(keys)) == len(keys), "two cases of one key"
    for case in found.cases:
        assert case.ct.exists() and (case.segmentation is None or case.segmentation.exists())
        str(case.key).encode("utf-8")
    for problem in found.problems:
        assert problem.code and problem.what and problem.remedy, problem


def _kind(
    name: str, make: Callable[[Path], None], read: Callable[[Path], Any], verify: Any, spoil: Any = _spoil
) -> Kind:
    codes = ("INPUT_NOT_READABLE", "BAD_SETTING", "UNKNOWN_LABELS")
    return Kind(name, make, spoil, read, verify, codes=codes)


KINDS = (
    _kind("label table", _make_mapping, lambda folder: load_mapping(_table(folder), "head"), _verify_mapping),
    _kind(
        "ratings (mrmc)",
        _make_ratings,
        lambda folder: _analyse(FIGURES["auc"](RatingTable.from_csv(_table(folder)), None)),
        _verify_figures,
    ),
    _kind(
        "marks and lesions",
        _make_marks,
        lambda folder: _analyse(AfrocArea(LesionTable.from_csv(folder / "lesions.csv", _table(folder)), weighted=True)),
        _verify_figures,
        _spoil_marks,
    ),
    _kind("cases of a study", _make_cases, lambda folder: read_case_table(_table(folder)), _verify_cases),
    _kind("cases of a batch", _make_batch, lambda folder: find_cases(_table(folder)), _verify_batch, partial(_spoil)),
)
