"""Whose answers are analysed: readers who answered everything, or, when nobody did, all with what they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from MedUSISLib.study.analysis.attempts import Notes
from MedUSISLib.study.analysis.result_parts import Materials, ReaderSummary
from MedUSISLib.study.key import Key
from MedUSISLib.study.merging import Merged
from MedUSISLib.study.readings import Reading
from MedUSISLib.study.statistics.from_readings import first_readings


def reader_summaries(
    merged: Merged, readings: Iterable[Reading], profiles: Mapping[str, Mapping[str, str]]
) -> tuple[ReaderSummary, ...]:
    """How far every reader of the protocol is."""
    corrected: dict[str, int] = {}
    for reading in readings:
        corrected[reading.reader] = corrected.get(reading.reader, 0) + (reading.revisions > 0)
    return tuple(
        ReaderSummary(
            reader=state.reader,
            answered=state.answered,
            expected=state.expected,
            corrected_answers=corrected.get(state.reader, 0),
            corrections=state.corrections,
            closed=state.closed,
            profile=dict(profiles.get(state.reader, {})),
        )
        for state in merged.readers
    )


def analysed_readers(readers: Sequence[ReaderSummary], notes: Notes) -> tuple[str, ...]:
    """Readers of the analysis over readers; what that leaves out is said.

    A reader who stopped early has read the trials that came first for him, other ones than the next reader. Leaving
    out who is not done keeps all readers on the same cases.
    """
    begun = [reader for reader in readers if reader.answered]
    done = tuple(reader.reader for reader in begun if reader.complete)
    for reader in readers:
        if not reader.complete:
            said = f"{reader.answered} of {reader.expected}" if reader.answered else "nothing"
            where = ": in the tables of single readers only" if reader.answered and done else ""
            notes.add("INCOMPLETE_READER", f"Reader {reader.reader} answered {said}{where}.")
    corrections = sum(reader.corrections for reader in readers)
    if corrections:
        answers = sum(reader.corrected_answers for reader in readers)
        notes.add("CORRECTIONS", f"{answers} answers were corrected, {corrections} times; the newest answer counts.")
    open_forms = [reader.reader for reader in begun if reader.complete and not reader.closed]
    if open_forms:
        notes.add("NO_CLOSING_FORM", f"No closing form from {', '.join(open_forms)}.")
    if done:
        return done
    if begun:
        notes.add("NOBODY_DONE", "No reader answered everything: this is an interim analysis of what there is.")
    return tuple(reader.reader for reader in begun)


def materials(key: Key, readings: Sequence[Reading], notes: Notes) -> Materials:
    """Counts of what was shown and what of it is analysed."""
    kept = first_readings(readings)
    training = sum(reading.training for reading in readings)
    repeats = sum(bool(reading.repeat_of) and not reading.training for reading in readings)
    if training:
        notes.add("TRAINING_LEFT_OUT", f"{training} answers to training trials are not analysed.")
    if repeats:
        notes.add(
            "REPEATS_LEFT_OUT",
            f"{repeats} answers to trials that were shown again are used for the agreement of readers with themselves "
            "only.",
        )
    return Materials(
        cases=sum(not case.training for case in key.cases),
        images=len(key.images),
        answers=len(readings),
        analysed=len(kept),
        training=training,
        repeats=repeats,
    )


def crossed(readings: Sequence[Reading], readers: Sequence[str], arms: Sequence[str]) -> tuple[list[Reading], int]:
    """First readings of the cases that all these readers read in all arms, and how many cases that leaves out.

    Examples
    --------
    >>> crossed([], ["R1"], ["ct"])
    ([], 0)
    """
    chosen = [r for r in first_readings(readings) if r.reader in readers and r.arm in arms]
    seen: dict[str, set[tuple[str, str]]] = {}
    for reading in chosen:
        seen.setdefault(reading.case, set()).add((reading.reader, reading.arm))
    whole = {case for case, cells in seen.items() if len(cells) == len(readers) * len(arms)}
    return [reading for reading in chosen if reading.case in whole], len(seen) - len(whole)
