"""What goes to a reader and comes back: packages (as files and folders) and databases of answers."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from faults.byte_faults import spoil_bytes
from faults.kind import NAME, Kind
from faults.settings_oracle import require_finite, require_taken, strict
from faults.tables import _image
from faults.tree_faults import VALUES, spoil_json
from faults.zip_faults import spoil_zip
from MedUSISLib.study.answers import AnswerStore, Owner
from MedUSISLib.study.package import PACKAGE_NAME, Package, open_package, unpack
from MedUSISLib.study.protocol import visual_turing

_IMAGE = "trials/0123456789abcdef.nii"


def _package_json() -> bytes:
    protocol = visual_turing("heads", ("R1",))
    panel = {"place": "mr", "image": "0123456789abcdef"}
    content = {
        "version": 1, "study": "heads", "reader": "R1", "protocol_sha256": "ab" * 32, "title": "Real?",
        "questions": [question.model_dump(mode="json") for question in protocol.questions],
        "display": protocol.display.model_dump(mode="json"),
        "trials": [{"id": "fedcba9876543210", "session": 1, "stages": [{"panels": [panel]}],
                    "feedback": {"answer": "real", "lesions_lps_mm": [[1.0, 2.0, 3.0]]}}],
        "files": {_IMAGE: hashlib.sha256(_image()).hexdigest()},
    }  # fmt: skip
    return json.dumps(content, indent=1).encode()


def _zip(folder: Path) -> Path:
    return folder / f"{NAME}.zip"


def _make_zip(folder: Path) -> None:
    with zipfile.ZipFile(_zip(folder), "w") as archive:
        archive.writestr(PACKAGE_NAME, _package_json())
        archive.writestr(_IMAGE, _image())


def _spoil_zip(random: Random, folder: Path) -> str:
    how = random.random()
    if how < 0.45:  # what is packed
        content, done = spoil_json(random, _package_json())
        with zipfile.ZipFile(_zip(folder), "w") as archive:
            archive.writestr(PACKAGE_NAME, content)
            archive.writestr(_IMAGE, _image())
        return done
    if how < 0.7:
        return spoil_zip(random, _zip(folder))
    content, done = spoil_bytes(random, _zip(folder).read_bytes(), 100)
    _zip(folder).write_bytes(content)
    return done


def _read_zip(folder: Path) -> Package:
    package = open_package(_zip(folder))
    assert unpack(_zip(folder), folder / "unpacked") == package
    return package


def _verify_zip(folder: Path, package: Package) -> None:
    with zipfile.ZipFile(_zip(folder)) as archive:
        _verify_package(archive.read(PACKAGE_NAME), package)
    laid = {path.relative_to(folder / "unpacked").as_posix() for path in (folder / "unpacked").rglob("*.nii")}
    assert laid == set(package.files), f"{laid} was laid out"


def _verify_package(content: bytes, package: Package) -> None:
    require_finite(package.model_dump())
    require_taken(strict(content), package.model_dump(mode="json"))


def _make_folder(folder: Path) -> None:
    (folder / "trials").mkdir()
    (folder / PACKAGE_NAME).write_bytes(_package_json())
    (folder / _IMAGE).write_bytes(_image())


def _spoil_folder(random: Random, folder: Path) -> str:
    path = folder / (PACKAGE_NAME if random.random() < 0.8 else _IMAGE)
    content, done = (spoil_json if path.suffix == ".json" else spoil_bytes)(random, path.read_bytes())
    path.write_bytes(content)
    return f"{path.name}: {done}"


def _owner() -> Owner:
    return Owner("heads", "ab" * 32, "cd" * 32, "R1")


def _make_answers(folder: Path) -> None:
    with AnswerStore(folder / f"{NAME}.sqlite") as store:
        for number in range(4):
            store.add("answer", _owner(), trial=f"{number:016x}", values={"source": "real"}, seconds=1.5 + number)
    for rest in folder.glob("*.sqlite-*"):
        rest.unlink()


_SQL = (
    "UPDATE medusis_rows SET {column} = :value WHERE id = {row}", "DELETE FROM medusis_rows WHERE id = {row}",
    "UPDATE medusis_about SET value = :value", "DROP TABLE medusis_rows", "DROP TABLE medusis_about",
    "UPDATE medusis_rows SET sequence = sequence + 1", "DELETE FROM medusis_rows", "CREATE TABLE extra (a)",
    "ALTER TABLE medusis_rows ADD COLUMN extra", "ALTER TABLE medusis_rows RENAME COLUMN {column} TO other",
    "CREATE TRIGGER t AFTER INSERT ON medusis_rows BEGIN DELETE FROM medusis_rows; END",
)  # fmt: skip
_COLUMNS = (
    "study", "protocol_sha256", "package_sha256", "reader", "sequence", "kind", "trial", "stage", "revision", "values",
    "seconds", "at", "previous", "hash",
)  # fmt: skip


def _spoil_answers(random: Random, folder: Path) -> str:
    path = folder / f"{NAME}.sqlite"
    if random.random() < 0.4:
        content, done = spoil_bytes(random, path.read_bytes(), 200)
        path.write_bytes(content)
        return done
    value = random.choice([one for one in VALUES if isinstance(one, (str, int, float, type(None)))])
    value = value if not isinstance(value, int) or abs(value) < 2**63 else str(value)
    if isinstance(value, str):
        value = random.choice((value, value.encode("utf-8", "surrogatepass")))  # text, or bytes in its place
    command = random.choice(_SQL).format(column=f'"{random.choice(_COLUMNS)}"', row=random.randint(1, 4))
    with closing(sqlite3.connect(path)) as connection:
        try:
            connection.execute(command, {"value": value} if ":value" in command else {})
        except (sqlite3.Error, OverflowError):
            connection.execute("DELETE FROM medusis_rows WHERE id = 2")
        connection.commit()
    return f"{command} {str(value)[:30]!r}"


def _read_answers(folder: Path) -> Any:
    with AnswerStore(folder / f"{NAME}.sqlite") as store:
        store.check()
        return store.rows()


def _verify_answers(folder: Path, rows: Any) -> None:
    """What is left of the four, from the first on: rows may be missing at the end alone."""
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    for number, row in enumerate(rows):
        assert (row.trial, dict(row.values), row.seconds) == (f"{number:016x}", {"source": "real"}, 1.5 + number), row


_CODES = ("INPUT_NOT_READABLE", "BAD_SETTING")
KINDS = (
    Kind("reading package", _make_zip, _spoil_zip, _read_zip, _verify_zip, codes=_CODES),
    Kind(
        "unpacked package",
        _make_folder,
        _spoil_folder,
        open_package,
        lambda folder, package: _verify_package((folder / PACKAGE_NAME).read_bytes(), package),
        codes=_CODES,
    ),
    Kind("answers.sqlite", _make_answers, _spoil_answers, _read_answers, _verify_answers, codes=_CODES),
)
