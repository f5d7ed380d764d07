"""From measurements to entries of dataset.json, with the edits of an earlier one kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from MedUSISLib.anatomy.guessing import guess_mapping
from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.dataset.items import Item
from MedUSISLib.dataset.measuring import Measurement
from MedUSISLib.dataset.model import Dataset, FileEntry, FoundInFile, Problem, Role, relative_to, resolved_mapping
from MedUSISLib.dataset.names import name_facts
from MedUSISLib.dataset.problems import PROBLEMS
from MedUSISLib.errors import MedUSISError

_SHOWN_VALUES = 6
_EDITABLE = ("role", "person", "mapping", "sequence", "use")


@dataclass
class ScannedFile:
    """A file with everything that is known of it while the scan runs."""

    item: Item
    measurement: Measurement
    entry: FileEntry
    problems: list[tuple[str, str]]
    duplicate: bool = False
    edited: set[str] = field(default_factory=set)

    @property
    def is_mask(self) -> bool:
        """One structure alone: no segmentation that a generator could be given."""
        return self.entry.role == "labels" and len(self.entry.labels or ()) == 1 and self.entry.mapping is None

    def decide_use(self) -> None:
        """Files with errors are not used, unless a person said so."""
        assert self.entry.found is not None
        self.entry.found.use = all(PROBLEMS[code].severity != "error" for code, _ in self.problems)
        if "use" not in self.edited:
            self.entry.use = self.entry.found.use


def item_ids(items: Sequence[Item], roots: Sequence[Path]) -> list[str]:
    """Ids from the paths below the scanned folders: the same after everything was moved together."""
    names = [root.resolve().name for root in roots]
    keys = {root: name if names.count(name) == 1 else str(root) for root, name in zip(roots, names, strict=True)}
    return ["file-" + blake2b(f"{keys[item.root]}/{item.name}".encode(), digest_size=5).hexdigest() for item in items]


def scanned_files(
    items: Sequence[Item],
    measurements: Sequence[Measurement],
    people: Sequence[str],
    ids: Sequence[str],
    out: Path,
    schema: LabelSchema,
    mapping: str | None,
) -> list[ScannedFile]:
    """Entries as the scan alone would write them."""
    files = []
    for item, measured, person, own_id in zip(items, measurements, people, ids, strict=True):
        facts = name_facts(item.name)
        role: Role = measured.kind if measured.kind in ("ct", "mr", "labels") else "ignore"  # type: ignore[assignment]
        own_mapping = _guessed(measured, schema) if role == "labels" and mapping is None else None
        found = FoundInFile(
            role=role,
            person=person,
            mapping=own_mapping,
            sequence=(item.sequence or facts.sequence) if role == "mr" else "",
        )
        geometry = measured.geometry
        entry = FileEntry(
            id=own_id,
            path=relative_to(item.path, out),
            role=found.role,
            person=found.person,
            mapping=found.mapping,
            sequence=found.sequence,
            session=facts.session,
            format=item.format,
            series_uid=item.series_uid,
            size_ijk=geometry.size_ijk if geometry is not None else None,
            spacing_mm=_rounded(geometry.spacing_mm) if geometry is not None else None,
            recognised_by=measured.reason,
            labels=measured.labels,
            content=measured.in_order,
            content_any_order=measured.in_any_order,
            found=found,
        )
        files.append(ScannedFile(item, measured, entry, list(measured.problems)))
    return files


def keep_edits(files: Sequence[ScannedFile], previous: Dataset | None) -> int:
    """Carry over what a person changed in the earlier dataset.json; how many fields that were.

    A file is found again by its path, else by its content (it was moved). A field was changed by hand when it differs
    from what that scan had found.
    """
    if previous is None:
        return 0
    by_id = {entry.id: entry for entry in previous.files}
    by_content = {entry.content: entry for entry in previous.files if entry.content}
    kept = 0
    for file in files:
        old = by_id.get(file.entry.id) or by_content.get(file.entry.content)
        if old is None or old.found is None:
            continue
        for name in _EDITABLE:
            if getattr(old, name) != getattr(old.found, name):
                setattr(file.entry, name, getattr(old, name))
                file.edited.add(name)
                kept += 1
    return kept


def hand_roles(previous: Dataset | None) -> dict[str, str]:
    """Roles that a person gave, by file id: these files are measured as what they were said to be."""
    if previous is None:
        return {}
    return {f.id: f.role for f in previous.files if f.found is not None and f.role != f.found.role}


def find_duplicates(files: Sequence[ScannedFile]) -> None:
    """Mark every copy after the first (in the order of paths) of the same voxels."""
    exact: dict[str, ScannedFile] = {}
    any_order: dict[str, ScannedFile] = {}
    for file in files:
        measured = file.measurement
        if not measured.in_order or measured.kind == "unknown":
            continue
        first = exact.get(measured.in_order)
        if first is None and measured.kind != "labels":
            first = any_order.get(measured.in_any_order)
        if first is None:
            exact[measured.in_order] = file
            any_order[measured.in_any_order] = file
            continue
        file.duplicate = True
        same_person = "" if first.entry.person == file.entry.person else f" (person {first.entry.person})"
        what = f"it has the voxels of {first.item.name}{same_person}"
        a, b = measured.geometry, first.measurement.geometry
        turned = measured.in_order != first.measurement.in_order
        if turned:
            file.problems.append(("DUPLICATE", what + ", in another order (axes swapped or reversed)"))
        elif a is not None and b is not None and not a.same_grid(b, 0.01):
            file.problems.append(("SAME_VOXELS_OTHER_HEADER", what))
        else:
            file.problems.append(("DUPLICATE", what))


def check_labels(files: Sequence[ScannedFile], schema: LabelSchema, mapping: str | None, out: Path) -> None:
    """Are all values of the label maps known to their mapping?"""
    for file in files:
        if file.entry.role == "labels" and file.entry.labels:
            chosen = resolved_mapping(file.entry.mapping or mapping, out)
            file.problems += label_problems(file.entry.labels, chosen, schema)


def label_problems(labels: Mapping[int, int], mapping: str | None, schema: LabelSchema) -> list[tuple[str, str]]:
    """What is wrong with the values of a label map."""
    if len(labels) == 1 and mapping is None:
        return [("SINGLE_LABEL", f"its only label is {next(iter(labels))}, {_count(sum(labels.values()))} voxels")]
    if mapping is None:
        what = f"the values {_listed(labels)} fit no known tool beyond doubt"
        return [("UNMAPPED_LABELS", what)]
    try:
        known = load_mapping(mapping, schema).index_of_value
    except MedUSISError as error:
        return [("UNMAPPED_LABELS", f"the mapping cannot be used: {error.message}")]
    unknown = {value: count for value, count in labels.items() if value not in known}
    if not unknown:
        return []
    share = 100 * sum(unknown.values()) / sum(labels.values())
    what = (
        f"{len(unknown)} of {len(labels)} values are unknown to the mapping '{_short(mapping)}', {share:.2g} % of the "
        f"labelled voxels: {_listed(unknown)}"
    )
    return [("UNMAPPED_LABELS", what)]


def problem(code: str, what: str, *, file: str | None = None, case: str | None = None) -> Problem:
    """An entry of the list of problems."""
    kind = PROBLEMS[code]
    return Problem(code=code, severity=kind.severity, what=what, advice=kind.advice, file=file, case=case)


def _guessed(measured: Measurement, schema: LabelSchema) -> str | None:
    return guess_mapping(measured.labels, schema.id) if measured.labels else None


def _listed(labels: Mapping[int, int]) -> str:
    ordered = sorted(labels.items(), key=lambda pair: -pair[1])
    shown = ", ".join(f"{value} ({_count(count)} voxels)" for value, count in ordered[:_SHOWN_VALUES])
    return shown + (f" and {len(ordered) - _SHOWN_VALUES} more" if len(ordered) > _SHOWN_VALUES else "")


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _short(mapping: str) -> str:
    return Path(mapping).name


def _rounded(spacing: tuple[float, float, float]) -> tuple[float, float, float]:
    i, j, k = (round(s, 4) for s in spacing)
    return i, j, k
