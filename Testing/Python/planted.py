"""A patient who can be recognised anywhere: planted into every place of every input, and looked for in every byte."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from MedUSISLib.imaging.volume import Volume, to_sitk

NAME, FIRST_NAME, PATIENT_ID, ACCESSION = "Quarzfeld", "Zyprian", "77315543", "ACCNXQ9"
BIRTH_DATE, BIRTH_YEAR_TEXT = "19310217", "1931-02-17"
INSTITUTION, PHYSICIAN, SERIAL, STATION = "Zauberbergklinik", "Doktorowska", "SERQ7788", "STATQ55"
STUDY_TEXT, FILE_WORD, FOLDER_WORD = "Kopfweh-Waldheim", "qzfscan", "quarzordner"
NIFTI_TEXT, NIFTI_INTENT = "descripwobbegong", "intentwobbegong"
KEY_VALUE, SEGMENT = "keyvaluewobbegong", "Segwobbegong"
USER, HOST = "uservarnish", "hostvarnish"

OF_THE_PATIENT = (NAME, FIRST_NAME, PATIENT_ID, ACCESSION, BIRTH_DATE, BIRTH_YEAR_TEXT, PHYSICIAN, STUDY_TEXT)
OF_THE_SCANNER = (INSTITUTION, SERIAL, STATION)
OF_FILES = (FILE_WORD, FOLDER_WORD, NIFTI_TEXT, NIFTI_INTENT, KEY_VALUE, SEGMENT, USER, HOST)
EVERYTHING = (*OF_THE_PATIENT, *OF_THE_SCANNER, *OF_FILES)

HOME = Path("home") / USER / f"{FOLDER_WORD}_{NAME}" / f"{PATIENT_ID}_{BIRTH_DATE}"
"""Where inputs lie: every part of the path says who it is."""


def dicom_identity(k: int, ds: Any) -> None:
    """For ``write_series``: every attribute of a CT that names somebody, private ones and a comment too."""
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = f"{NAME}^{FIRST_NAME}", PATIENT_ID, BIRTH_DATE
    ds.OtherPatientIDs, ds.PatientAddress, ds.PatientComments = PATIENT_ID, STUDY_TEXT, f"{NAME} was here"
    ds.PatientSex, ds.PatientAge, ds.PatientPosition, ds.PositionReferenceIndicator = "M", "095Y", "HFS", ""
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260102", "101112", "77", ACCESSION
    ds.ReferringPhysicianName, ds.OperatorsName = f"{PHYSICIAN}^X", PHYSICIAN
    ds.StudyDescription, ds.SeriesDescription = STUDY_TEXT, f"{STUDY_TEXT} 1 mm"
    ds.Manufacturer, ds.ManufacturerModelName, ds.DeviceSerialNumber = "Maker", "Scanner", SERIAL
    ds.InstitutionName, ds.InstitutionAddress, ds.StationName = INSTITUTION, INSTITUTION, STATION
    ds.BodyPartExamined, ds.ImageComments = "HEAD", NAME
    block = ds.private_block(0x0099, "SOMEBODY", create=True)
    block.add_new(0x01, "LO", f"{NAME} {ACCESSION}")


def save_nifti(volume: Volume, path: Path) -> Path:
    """With all of NIfTI's free texts used, and a comment as an extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(volume.array_kji.T, volume.geometry.affine_ras)
    header: Any = image.header
    header["descrip"], header["intent_name"] = f"{NIFTI_TEXT} {NAME}".encode(), NIFTI_INTENT.encode()
    header["aux_file"], header["db_name"] = f"{NAME}".encode(), PATIENT_ID.encode()
    header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", f"{NAME} {BIRTH_DATE}".encode()))
    image.to_filename(path)
    return path


def save_itk(volume: Volume, path: Path) -> Path:
    """NRRD or MHA with key-value pairs, and names of segments as Slicer writes them."""
    import SimpleITK as sitk

    path.parent.mkdir(parents=True, exist_ok=True)
    image = to_sitk(volume)
    for key, value in {"PatientName": f"{NAME} {KEY_VALUE}", "Segment0_Name": SEGMENT, "comment": ACCESSION}.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))
    return path


def found_in(root: Path, words: tuple[str, ...] = EVERYTHING) -> dict[str, list[str]]:
    """Files below a folder (or one file) in whose name or bytes, packed ones unpacked, words occur; with the words."""
    found: dict[str, list[str]] = {}
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if not path.is_dir())
    for path in files:
        name = path.name if root.is_file() else path.relative_to(root).as_posix()
        words_here = words_in(name.encode() + b"\n" + path.read_bytes(), words)
        if words_here:
            found[name] = words_here
    return found


def words_in(content: bytes, words: tuple[str, ...] = EVERYTHING) -> list[str]:
    """The words that occur in some bytes or in anything packed into them, in UTF-8 or UTF-16, in any case."""
    pieces = [piece.lower() for piece in unpacked(content)]
    spelled = {word: (word.lower().encode(), word.lower().encode("utf-16-le")) for word in words}
    return [word for word, forms in spelled.items() if any(form in piece for form in forms for piece in pieces)]


def unpacked(content: bytes, depth: int = 0) -> Iterator[bytes]:
    """The bytes, and those of every gzip, zip, text of a PNG, PDF stream and data URI within them."""
    yield content
    if depth > 4:
        return
    inner: list[bytes] = []
    for match in re.finditer(rb"\x1f\x8b\x08", content):
        try:
            inner.append(zlib.decompressobj(31).decompress(content[match.start() :]))
        except zlib.error:
            continue
    if b"PK\x03\x04" in content:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                inner += [name.encode() for name in archive.namelist()]
                inner += [archive.read(name) for name in archive.namelist()]
        except zipfile.BadZipFile:
            pass
    for match in re.finditer(rb"\x89PNG\r\n\x1a\n", content):
        inner += png_chunks(content[match.start() :])
    for match in re.finditer(rb"base64,\s*([A-Za-z0-9+/=\s]+)", content):
        inner.append(base64.b64decode(match[1] + b"==", validate=False))
    for match in re.finditer(rb"stream\r?\n", content):
        try:
            inner.append(zlib.decompressobj().decompress(content[match.end() :]))
        except zlib.error:
            continue
    for piece in inner:
        yield from unpacked(piece, depth + 1)


def png_chunks(content: bytes) -> list[bytes]:
    """Every chunk of a PNG but its pixels, texts inflated."""
    place, chunks = 8, []
    while place + 8 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        kind, data = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        if kind in (b"zTXt", b"iTXt"):
            chunks.append(data)
            try:
                chunks.append(zlib.decompress(data[data.index(b"\0") + 2 :]))
            except (zlib.error, ValueError):
                pass
        elif kind != b"IDAT":
            chunks.append(data)
        place += 12 + length
        if kind == b"IEND":
            break
    return chunks


def proof() -> dict[str, bytes]:
    """A name in every way that the search must see through."""
    secret = f"xx {NAME} xx".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.txt", gzip.compress(secret))
    arrays = io.BytesIO()
    np.savez_compressed(arrays, a=np.frombuffer(secret, np.uint8))
    text = b"Comment\0\0" + zlib.compress(secret)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(text)) + b"zTXt" + text + b"\0" * 4
    tensors = json.dumps({"__metadata__": {"of": NAME.upper()}}).encode()
    return {
        "plain": secret,
        "utf16": f"{NAME}".encode("utf-16-le"),
        "gzip": b"\0\0" + gzip.compress(secret),
        "zip": packed.getvalue(),
        "npz": arrays.getvalue(),
        "png": png,
        "data-uri": b'<img src="data:image/png;base64,' + base64.b64encode(png) + b'">',
        "safetensors": struct.pack("<Q", len(tensors)) + tensors,
        "pdf": b"%PDF\nstream\n" + zlib.compress(secret) + b"\nendstream",
    }
