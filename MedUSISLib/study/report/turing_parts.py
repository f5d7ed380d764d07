"""The parts of the report on a visual Turing test."""

from __future__ import annotations

from collections.abc import Mapping

from MedUSISLib.study.analysis.result_parts import ForcedChoice, ReaderTuring, VisualTuring
from MedUSISLib.study.analysis.result_statistics import AgainstChance, Share
from MedUSISLib.study.analysis.results import StudyResults
from MedUSISLib.study.report import words
from MedUSISLib.study.report.shared_parts import narrow
from MedUSISLib.synthesis import report_page as page
from MedUSISLib.synthesis.report_page import Html


def turing_sections(results: StudyResults, pictures: Mapping[str, bytes]) -> list[Html]:
    """Over readers and cases, each reader, strata."""
    if results.visual_turing is not None:
        return _single(results.visual_turing, pictures)
    if results.forced_choice is not None:
        return _pairs(results.forced_choice, pictures)
    return []


def _single(found: VisualTuring, pictures: Mapping[str, bytes]) -> list[Html]:
    tests = [test for test in (found.accuracy, found.auc, found.d_prime) if test is not None]
    forest, roc = pictures.get("readers"), pictures.get("roc")
    strata = [
        (
            one.stratum,
            words.count(one.counts.correct),
            words.exact(one.counts.correct),
            one.counts.unsure,
            words.within(one.accuracy) if one.accuracy else words.NONE,
            words.p(one.accuracy.p_value) if one.accuracy else words.NONE,
        )
        for one in found.strata
    ]
    head = ("Stratum", "Right, all readers", "Exact interval", "Unsure", "Balanced accuracy", "p against 1/2")
    return [
        _over_readers(tests),
        page.section(
            "Each reader",
            page.columns(
                page.picture(forest, "Share right of each reader") if forest else None,
                page.picture(roc, "ROC curves of the confidence") if roc else None,
            ),
            *_reader_tables(found),
            page.paragraph(
                f"Sensitivity is of {found.positive} images. Shares are of definite answers; the interval and p of all "
                "readers together take answers of several readers to one image for independent, which they are not: "
                "conclusions belong to the table above. The blue band is the margin of equivalence.",
                "note",
            ),
        ),
        *([page.section("Strata", page.table(head, strata, numbers=(1, 2, 3, 4, 5)))] if strata else []),
    ]


def _reader_tables(found: VisualTuring) -> list[Html]:
    """Two, for one would be wider than a page."""
    everybody = (*found.readers, found.pooled)

    def share(of: Share) -> str:
        return f"{words.count(of)} {words.exact(of)}"

    def row(one: ReaderTuring) -> tuple[object, ...]:
        d = one.d_prime
        return (
            one.reader,
            words.count(one.correct),
            words.exact(one.correct),
            words.p(one.correct.p_chance),
            one.unsure,
            words.number(one.auc, 2),
            f"{d.value:.2f} {words.interval(d.low, d.high, 2)}" if d is not None else words.NONE,
        )

    sides = [(one.reader, share(one.sensitivity), share(one.specificity)) for one in everybody]
    head = ("Reader", "Right", "Exact interval", "p against 1/2", "Unsure", "AUC", "d'")
    return [
        page.table(head, [row(one) for one in everybody], numbers=tuple(range(1, 7))),
        page.table(("Reader", "Sensitivity", "Specificity"), sides, numbers=(1, 2)),
    ]


def _pairs(found: ForcedChoice, pictures: Mapping[str, bytes]) -> list[Html]:
    forest = pictures.get("readers")
    rows = [
        (
            one.reader,
            words.count(one.correct),
            words.exact(one.correct),
            words.p(one.correct.p_chance),
            words.count(one.left),
            words.p(one.left.p_chance),
        )
        for one in (*found.readers, found.pooled)
    ]
    strata = [(one.reader, words.count(one.correct), words.exact(one.correct)) for one in found.strata]
    d = found.d_prime
    ends = "" if d is None or d[1] is None or d[2] is None else f" {words.interval(d[1], d[2], 2)}"
    line = f"d' = {d[0]:.2f}{ends}." if d is not None else None
    head = ("Reader", "Right", "Exact interval", "p against 1/2", "Chose left", "p against 1/2")
    return [
        _over_readers([found.correct] if found.correct is not None else [], line),
        page.section(
            "Each reader",
            narrow(page.picture(forest, "Share right of each reader")) if forest else None,
            page.table(head, rows, numbers=(1, 2, 3, 4, 5)),
            page.paragraph(
                "Interval and p of all readers together take answers of several readers to one pair for independent.",
                "note",
            ),
        ),
        *(
            [page.section("Strata", page.table(("Stratum", "Right, all readers", "Exact interval"), strata, (1, 2)))]
            if strata
            else []
        ),
    ]


def _over_readers(tests: list[AgainstChance], line: str | None = None) -> Html:
    if not tests:
        return page.section(
            "Over readers and cases", page.paragraph("No analysis was possible; the notes below say why.")
        )
    rows = []
    for one in tests:
        e = one.equivalence
        shown = words.NONE if e is None else "shown" if e.shown else "not shown"
        rows.append(
            (
                one.title,
                words.within(one),
                f"{one.chance:g}",
                words.p(one.p_value),
                shown if e is None else f"{shown}, ±{e.margin:g}, p {words.p(e.p_value)}",
                words.interval(e.low, e.high) if e is not None else words.NONE,
                one.generalises_to,
            )
        )
    head = ("Figure", "Mean over readers", "Chance", "p", "Equivalence with chance", "Its interval", "Holds for")
    return page.section(
        "Over readers and cases",
        page.table(head, rows, numbers=(1, 2, 3, 4, 5)),
        page.paragraph(line) if line else None,
        page.paragraph("A large p does not show that readers cannot tell; equivalence within the margin does.", "note"),
    )
