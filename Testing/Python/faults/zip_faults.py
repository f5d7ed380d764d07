"""Faults of zip files: names that leave the folder, links, duplicates, bombs, locks, lies about sizes."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from random import Random

NAMES = (
    "../evil.txt", "/evil.txt", "C:/evil.txt", "..\\evil.txt", "a/../../evil.txt", "con.txt", "a\nb.txt", "a:b", "",
    "x" * 300, "trials/../package.json", "manifest.json/", "./manifest.json", "a/b/c/d/e/f/g.txt", "evil.pkl",
    "evil.zip", "ü" * 90, "\u202e.txt", "weights.safetensors.pt", "trials/ffffffffffffffff.nii", "__MACOSX/../evil.txt",
)  # fmt: skip


def spoil_zip(random: Random, path: Path) -> str:
    """Pack the members again with something that does not belong there."""
    with zipfile.ZipFile(path) as archive:
        members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    done = random.choice(
        ("name", "name", "renamed", "twice", "link", "lost", "bomb", "packed", "locked", "size", "empty", "nested",
         "many", "comment", "folder")
    )  # fmt: skip
    name, content = random.choice(members)
    packing = zipfile.ZIP_DEFLATED if done in ("bomb", "packed") else zipfile.ZIP_STORED
    extra: list[tuple[zipfile.ZipInfo, bytes]] = []
    if done == "name":
        extra.append((zipfile.ZipInfo(random.choice(NAMES)), b"x"))
    elif done == "renamed":
        other = random.choice([other for other in NAMES if other])  # Python's zipfile does not write one without name
        members = [(other if one == name else one, data) for one, data in members]
    elif done == "twice":
        extra.append((zipfile.ZipInfo(random.choice((name, name.upper()))), random.choice((content, b"other"))))
    elif done == "link":
        entry = zipfile.ZipInfo(random.choice((name, "link.txt")))
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        extra.append((entry, b"/etc/passwd"))
    elif done == "lost":
        members = [member for member in members if member[0] != name]
    elif done == "bomb":
        members = [(one, bytes(60 << 20) if one == name else data) for one, data in members]
    elif done == "empty":
        members = []
    elif done == "nested":
        extra.append((zipfile.ZipInfo("inner.zip"), path.read_bytes()))
    elif done == "many":
        extra += [(zipfile.ZipInfo(f"{number}.txt"), b"") for number in range(1500)]
    elif done == "folder":
        extra.append((zipfile.ZipInfo(f"{name}/"), b""))
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.comment = b"c" * 60_000 if done == "comment" else b""
        for one, data in members:
            archive.writestr(one, data)
        for entry, data in extra:
            archive.writestr(entry, data)
    if done == "locked":
        _set_in_directory(path, 8, b"\x01\x00")
    elif done == "size":
        _set_in_directory(path, 24, random.choice((b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f", b"\x01\x00\x00\x00")))
    return f"zip: {done} {name}"


def _set_in_directory(path: Path, offset: int, value: bytes) -> None:
    """Change a field of the first entry of the central directory."""
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    if at >= 0:
        content[at + offset : at + offset + len(value)] = value
    path.write_bytes(bytes(content))
