"""Files into people: BIDS names, a folder per person, DICOM's PatientID, or what two names share.

Too few people are harmless, too many are not: a person on both sides of the split makes validation worthless. So
names that differ by added words are one person, whatever the words say.
"""

from __future__ import annotations

from collections.abc import Sequence

from MedUSISLib.dataset.items import Item
from MedUSISLib.dataset.names import NameFacts, name_facts


def people_of(items: Sequence[Item]) -> list[str]:
    """A pseudonym for each item.

    DICOM's PatientID goes in as a hash and wins over names. The pseudonym follows from the item's own path and the
    shorter names of others, so people who come later do not rename the ones who are there.
    """
    facts = [name_facts(item.name) for item in items]
    names = _joined(facts)
    by_patient = [f"patient-{item.patient}" if item.patient else "" for item in items]
    # A label map or NIfTI copy beside the DICOM of a person carries no PatientID, but the same folder name does.
    patient_of_name: dict[str, set[str]] = {}
    for patient, name in zip(by_patient, names, strict=True):
        if patient and name:
            patient_of_name.setdefault(name, set()).add(patient)
    result = []
    for patient, name, fact in zip(by_patient, names, facts, strict=True):
        others = patient_of_name.get(name, set())
        if not patient and fact.sure and len(others) == 1:
            patient = next(iter(others))
        result.append(patient or name or "unnamed")
    return result


def _joined(facts: Sequence[NameFacts]) -> list[str]:
    """Names as text; ``pt_7_tissue`` joins ``pt_7`` where that is there too."""
    known = {words for fact in facts if (words := _words(fact))}
    result = []
    for fact in facts:
        words = _words(fact)
        if not fact.sure:
            words = next((words[:n] for n in range(1, len(words)) if words[:n] in known), words)
        result.append("".join(words).strip("-_"))
    return result


def _words(fact: NameFacts) -> tuple[str, ...]:
    """Words of a name, each with the separator before it: ``-headneck _...``; parts by "-", words in them by "_"."""
    return tuple(("_" if n else "-") + word for part in fact.person for n, word in enumerate(part.split("_")) if part)
