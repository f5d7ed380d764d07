"""Which generators there are: those shipped in Resources/Generators and those in the user's generator folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.manifest import MANIFEST_NAME, Manifest, read_manifest
from MedUSISLib.resources import resource_path
from MedUSISLib.user_folders import user_folder

GENERATORS_VARIABLE = "MEDUSIS_GENERATORS"
"""Environment variable that names the user's generator folder."""


@dataclass(frozen=True)
class CatalogueEntry:
    """One bundle of the catalogue; ``problem`` says why it cannot be used, and is empty when it can.

    The catalogue reads manifests only; the files are verified when a bundle is loaded.
    """

    id: str
    directory: Path
    origin: Literal["shipped", "user"]
    manifest: Manifest | None
    problem: str = ""


def user_generator_directory() -> Path:
    """Folder for generators that the user installs; it need not exist yet.

    ``MEDUSIS_GENERATORS`` if set, else the platform's place for application data.
    """
    return user_folder(GENERATORS_VARIABLE, "generators")


def available_bundles() -> list[CatalogueEntry]:
    """Every bundle found, sorted by id; one that the user installed hides a shipped one of the same id."""
    entries: dict[str, CatalogueEntry] = {}
    places: tuple[tuple[Path, Literal["shipped", "user"]], ...] = (
        (resource_path("Generators"), "shipped"),
        (user_generator_directory(), "user"),
    )
    for root, origin in places:
        if not root.is_dir():
            continue
        for directory in sorted(root.iterdir()):
            if directory.name.startswith(".") or not (directory / MANIFEST_NAME).is_file():
                continue
            entry = _entry(directory, origin)
            entries[entry.id] = entry
    return [entries[key] for key in sorted(entries)]


def available_generators(kind: str = "generator") -> list[CatalogueEntry]:
    """The usable bundles of one kind, ``"generator"`` or ``"segmentator"``."""
    return [entry for entry in available_bundles() if entry.manifest is not None and entry.manifest.kind == kind]


def find_bundle(path_or_id: str | Path) -> Path:
    """Folder of a bundle given by its folder or its id.

    Raises
    ------
    MedUSISError
        GENERATOR_NOT_FOUND, with the ids that there are as the hint.
    """
    text = str(path_or_id)
    entries = available_bundles()
    for entry in entries:
        if entry.id == text:
            return entry.directory
    path = Path(path_or_id).expanduser()
    if (path / MANIFEST_NAME).is_file():
        return path
    known = ", ".join(entry.id for entry in entries) or "none"
    looks_like_path = isinstance(path_or_id, Path) or path.is_absolute() or len(path.parts) != 1 or path.exists()
    if looks_like_path:
        message = "the given folder holds no generator (no manifest.json)"
    else:
        message = f"there is no generator '{text}'"
    raise MedUSISError(
        ErrorCode.GENERATOR_NOT_FOUND, message, f"there are: {known}", path=path if looks_like_path else None
    )


def _entry(directory: Path, origin: Literal["shipped", "user"]) -> CatalogueEntry:
    try:
        manifest = read_manifest(directory)
    except MedUSISError as error:
        return CatalogueEntry(directory.name, directory, origin, None, error.message)
    return CatalogueEntry(manifest.id, directory, origin, manifest)
