"""Which generators can be chosen, as the panel shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ShelfEntry:
    """One generator.

    Parameters
    ----------
    id, title, body_region, modality, licence, version, schema_id : str
    size_bytes : int
        Of all its files.
    removable : bool
        Whether the user has installed it; those that come with MedUSIS stay.
    manifest : MedUSISLib.generators.manifest.Manifest
    card : str
        Text of the model card (Markdown).
    picture : Path or None
        Picture of the model card.
    """

    id: str
    title: str
    body_region: str
    modality: str
    licence: str
    version: str
    schema_id: str
    size_bytes: int
    removable: bool
    manifest: Any
    card: str
    picture: Path | None


class GeneratorShelf:
    """Reads the catalogue; empty while the packages that it needs are missing."""

    def entries(self) -> list[ShelfEntry]:
        """The generators that can be used, sorted by id."""
        try:
            from MedUSISLib.generators.catalogue import available_generators
        except ImportError:
            return []
        return [_entry(found) for found in available_generators("generator")]

    def schema(self, entry: ShelfEntry | None):
        """The label schema of a generator (``LabelSchema``), None without one."""
        if entry is None:
            return None
        from MedUSISLib.anatomy.schema import load_schema

        return load_schema(entry.schema_id)

    def remove(self, identifier: str) -> None:
        """Remove a generator that the user installed; a named error when that is not possible."""
        from MedUSISLib.generators.install import remove_generator

        remove_generator(identifier)


def _entry(found) -> ShelfEntry:
    manifest = found.manifest
    folder = Path(found.directory)
    card = folder / "README.md"
    picture = folder / "samples.png"
    return ShelfEntry(
        id=found.id,
        title=manifest.title or found.id,
        body_region=manifest.body_region,
        modality=manifest.modality,
        licence=manifest.licence,
        version=manifest.version,
        schema_id=manifest.schema_id,
        size_bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        removable=found.origin == "user",
        manifest=manifest,
        card=card.read_text(encoding="utf-8") if card.is_file() else "",
        picture=picture if picture.is_file() else None,
    )
