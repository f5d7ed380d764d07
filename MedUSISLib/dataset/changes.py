"""What a second scan found otherwise than the first, in sentences without names."""

from __future__ import annotations

from MedUSISLib.dataset.model import Dataset
from MedUSISLib.dataset.split import SPLITS, Split


def inherited_sides(dataset: Dataset, previous: Dataset) -> dict[str, Split]:
    """Sides of people under a new pseudonym, from their files: what was trained with must not become a test.

    Where their files were on several sides, training wins over validation, and that over test.
    """
    sides = {person.id: person.split for person in previous.people}
    by_id = {file.id: sides[file.person] for file in previous.files if file.person in sides}
    by_content = {file.content: sides[file.person] for file in previous.files if file.content and file.person in sides}
    found: dict[str, Split] = {}
    for file in dataset.files:
        side = by_id.get(file.id) or by_content.get(file.content)
        if side is not None and file.person not in sides:
            found[file.person] = min(side, found.get(file.person, side), key=SPLITS.index)
    return found


def changes_since(previous: Dataset | None, dataset: Dataset) -> list[str]:
    """Sentences for the page and the log; empty for a first scan."""
    if previous is None:
        return []
    old, new = {f.id: f for f in previous.files}, {f.id: f for f in dataset.files}
    old_contents = {f.content for f in previous.files if f.content}
    new_contents = {f.content for f in dataset.files if f.content}
    added = [f for i, f in new.items() if i not in old]
    gone = [f for i, f in old.items() if i not in new]
    moved = sum(f.content in old_contents for f in added if f.content)
    missing = sum(f.content not in new_contents for f in gone)
    other = sum(f.content != old[i].content for i, f in new.items() if i in old)
    people = {p.id for p in dataset.people} - {p.id for p in previous.people}
    sides = {p.id: p.split for p in previous.people}
    redrawn = sum(sides.get(p.id, p.split) != p.split for p in dataset.people)
    edits = sum(
        getattr(f, name) != getattr(f.found, name)
        for f in dataset.files
        if f.found is not None
        for name in ("role", "person", "mapping", "sequence", "use")
    ) + sum(
        case.found is None or getattr(case, name) != getattr(case.found, name)
        for case in dataset.cases
        for name in ("ct", "mr", "labels", "use")
    )
    edits += sum(p.found_split not in (None, p.split) for p in dataset.people)
    sentences = (
        (len(added) - moved, "new files were found"),
        (moved, "files were found in another place"),
        (missing, "files are no longer there"),
        (other, "files have other content"),
        (len(people), "people are new; the others kept their side of the split"),
        (redrawn, "people changed sides, because seed or shares are new"),
        (edits, "edits by hand were kept"),
    )
    return [f"{count} {what}" for count, what in sentences if count] or ["nothing changed"]
