"""Folders that look like ``site-packages`` to whoever reads records and files; nothing in them can be imported."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from importlib import invalidate_caches
from pathlib import Path

from MedUSISLib.mrml.requirements import NEEDED

NOT_TO_BE_IMPORTED = 'raise RuntimeError("this package must not be imported")\n'


def add_package(site: Path, name: str, version: str, module: str | None = None, record: bool = True) -> Path:
    """A package with its record; its import raises. Returns the folder of the record."""
    if module is not None:
        (site / module).mkdir(parents=True, exist_ok=True)
        (site / module / "__init__.py").write_text(NOT_TO_BE_IMPORTED)
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if record:
        (info / "RECORD").write_text(f"{module}/__init__.py,,\n")
    invalidate_caches()
    return info


def add_torch(site: Path, version: str = "2.13.0+cpu") -> Path:
    """A complete torch, as far as its files tell. Returns the folder of the record."""
    info = add_package(site, "torch", version, "torch")
    package = site / "torch"
    (package / "version.py").write_text(f"from typing import Optional\n__version__ = '{version}'\n")
    (package / "_C.cpython-312-x86_64-linux-gnu.so").write_bytes(b"")
    (package / "lib").mkdir(exist_ok=True)
    (package / "lib" / "libtorch_cpu.so").write_bytes(b"")
    return info


def add_needed(site: Path, without: Iterable[str] = ()) -> None:
    """Every package that the jobs need beside torch."""
    for package in NEEDED:
        if package.name not in without:
            add_package(site, package.name, "9.0", package.module)


def add_wheel(
    folder: Path, name: str, version: str, needs: Iterable[str] = (), tag: str = "py3-none-any"
) -> Path:
    """A wheel that holds nothing but its record."""
    folder.mkdir(parents=True, exist_ok=True)
    bare = name.replace("-", "_")
    file = folder / f"{bare}-{version}-{tag}.whl"
    headers = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    headers += [f"Requires-Dist: {need}" for need in needs]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{bare}-{version}.dist-info/METADATA", "\n".join(headers) + "\n")
    return file
