"""The parts of the report on lesion reading."""

from __future__ import annotations

from collections.abc import Mapping

from MedUSISLib.study.analysis.lesion_counts import TOTAL
from MedUSISLib.study.analysis.result_parts import CategoryCounts, LesionCounts, LesionReading
from MedUSISLib.study.analysis.result_statistics import Comparison
from MedUSISLib.study.analysis.results import StudyResults
from MedUSISLib.study.report import words
from MedUSISLib.study.report.shared_parts import notes_list
from MedUSISLib.synthesis import report_page as page
from MedUSISLib.synthesis.report_page import Html

_MAIN = ("jafroc", "auc", "lesion-sensitivity", "false-marks", "case-sensitivity", "case-specificity")


def lesion_sections(results: StudyResults, pictures: Mapping[str, bytes]) -> list[Html]:
    """Comparisons of the arms, curves, counts, categories, contrast."""
    found = results.lesion_reading
    if found is None:
        return []
    parts = [_comparisons(found, pictures), _curves(pictures), _counts(found), _categories(found), _contrast(found)]
    return [part for part in parts if part is not None]


def _comparisons(found: LesionReading, pictures: Mapping[str, bytes]) -> Html:
    main = [(name, found.comparisons[name]) for name in _MAIN if name in found.comparisons]
    if not main:
        return page.section("The arms compared", page.paragraph("No comparison was possible; the notes below say why."))
    rows: list[tuple[object, ...]] = []
    for _, one in main:
        rows += _rows_of(one)
    head = ("Figure", "Arm or difference", "Value", "Interval", "p", "Test of all arms")
    forests = [
        page.picture(pictures[f"differences-{name}"], f"Differences of the arms, {one.title}")
        for name, one in main
        if f"differences-{name}" in pictures
    ]
    warnings = [w for _, one in main for w in one.warnings if w.code not in ("FEW_READERS", "FEW_CASES")]
    unique = list({(w.code, w.message): w for w in warnings}.values())
    return page.section(
        "The arms compared",
        page.paragraph(f"Holds for {main[0][1].main.generalises_to}; {_cases(found)}."),
        page.table(head, rows, numbers=(2, 3, 4)),
        page.columns(*forests) if forests else None,
        *(_others(one) for _, one in main),
        Html(f"<details><summary>{len(unique)} cautions</summary>{notes_list(unique)}</details>") if unique else None,
    )


def _rows_of(one: Comparison) -> list[tuple[object, ...]]:
    main = one.main
    rows: list[tuple[object, ...]] = []
    title = page.text(one.title)
    name_cell: object = Html(f"<b>{title}</b>")
    for test in main.tests:
        low, high = (test.logit_low, test.logit_high) if test.logit_low is not None else (test.low, test.high)
        rows.append(
            (name_cell if not rows else "", test.test, words.number(test.value), words.interval(low, high), "", "")
        )
    whole = ""
    if main.statistic is not None and main.ndf is not None:
        ddf = f", {main.ddf:.1f}" if main.ddf is not None else ""
        whole = f"{main.statistic_name}({main.ndf:.0f}{ddf}) = {main.statistic:.2f}, p {words.p(main.p_value)}"
    for d in main.differences:
        name = f"{d.first} − {d.second}"
        rows.append(("", name, words.signed(d.value), words.interval(d.low, d.high), words.p(d.p_value), whole))
        whole = ""
    return rows


def _others(one: Comparison) -> Html:
    """The other two analyses, and every reader's figure."""
    rows: list[tuple[object, ...]] = []
    for analysis in one.analyses[1:]:
        for d in analysis.differences:
            name = f"{d.first} − {d.second}"
            rows.append((analysis.generalises_to, name, words.signed(d.value), words.interval(d.low, d.high),
                         words.p(d.p_value)))  # fmt: skip
    for reader in one.readers:
        values = ", ".join(f"{test} {words.number(one.values[test][reader])}" for test in one.tests)
        rows.append((f"reader {reader}", values, "", "", ""))
    table = page.table(("", "", "Difference", "Interval", "p"), rows, numbers=(2, 3, 4))
    title = page.text(f"{one.title[0].upper()}{one.title[1:]}: other analyses, and each reader")
    return Html(f"<details><summary>{title}</summary>{table}</details>")


def _curves(pictures: Mapping[str, bytes]) -> Html | None:
    shown = [
        page.picture(pictures[kind], f"{kind.upper()} curves") for kind in ("roc", "froc", "afroc") if kind in pictures
    ]
    if not shown:
        return None
    return page.section(
        "Operating characteristics",
        page.columns(*shown),
        page.paragraph(
            "Thick: all readers together at the same rating, with the area; thin: single readers. The area of all "
            "readers together is not the mean of theirs, which is what the comparison above is of.",
            "note",
        ),
    )


def _counts(found: LesionReading) -> Html:
    several = len({one.reader for one in found.counts}) > 1
    every = (*found.counts, *(found.pooled if several else ()))
    rows = [(one.reader, *_marks_row(one)) for one in every]
    head = ("Reader", "Arm", "Cases", "Marks", "Lesions found", "False marks", "per case", "Second marks")
    calls = [
        (one.reader, one.arm, words.count(one.called_positive), words.exact(one.called_positive),
         words.count(one.called_negative), words.exact(one.called_negative))
        for one in every
        if one.called_positive.total or one.called_negative.total
    ]  # fmt: skip
    call_head = ("Reader", "Arm", "Cases with a lesion called so", "", "Cases without a lesion called so", "")
    pairs = [
        (one.reader, f"{one.first} / {one.second}", one.both, one.only_first, one.only_second, one.neither,
         words.p(one.p_value))
        for one in found.paired_lesions
    ]  # fmt: skip
    pair_head = ("Reader", "Arms", "Found in both", "First only", "Second only", "Neither", "McNemar, p")
    strata = [(one.stratum, *_marks_row(one.counts)) for one in found.strata]
    return page.section(
        "Each reader in each arm",
        page.table(head, rows, numbers=tuple(range(2, 8))),
        Html("<h3>Whole cases</h3>") if calls else None,
        page.table(call_head, calls, numbers=(2, 3, 4, 5)) if calls else None,
        Html("<h3>The same lesions in two arms</h3>") if pairs else None,
        page.table(pair_head, pairs, numbers=(2, 3, 4, 5, 6)) if pairs else None,
        Html("<h3>Strata, all readers</h3>") if strata else None,
        page.table(("Stratum", *head[1:]), strata, numbers=tuple(range(2, 8))) if strata else None,
        page.paragraph(
            "Intervals of all readers together take answers of several readers to one case for independent, which they "
            "are not: conclusions belong to the comparison of the arms.",
            "note",
        )
        if several
        else None,
    )


def _marks_row(one: LesionCounts) -> tuple[object, ...]:
    return (
        one.arm,
        one.cases,
        one.marks,
        f"{words.count(one.found)} {words.exact(one.found)}",
        one.false_marks,
        words.number(one.false_marks_per_case, 2),
        one.duplicates,
    )


def _categories(found: LesionReading) -> Html | None:
    if not any(one.marks for one in found.categories):
        return None
    cells = {(one.reader, one.category, one.arm): one for one in found.categories}
    rows = []
    for reader, category in dict.fromkeys((one.reader, one.category) for one in found.categories):
        here = [cells.get((reader, category, arm)) for arm in found.arms]
        if any(one is not None and one.marks for one in here):
            rows.append((reader, category, *(_category_cell(one) for one in here)))
    tests: list[tuple[object, ...]] = []
    for name, one in found.comparisons.items():
        if name.startswith("marks: "):
            for d in one.main.differences:
                tests.append((name.removeprefix("marks: "), "over readers and cases", f"{d.first} − {d.second}",
                              f"{words.signed(d.value, 2)} {words.interval(d.low, d.high, 2)}",
                              words.p(d.p_value)))  # fmt: skip
    for pair in found.paired_marks:
        if pair.category == TOTAL or pair.mean_first or pair.mean_second:
            tests.append((pair.category, f"{pair.reader}, {pair.cases} cases", f"{pair.first} − {pair.second}",
                          f"{pair.mean_first:.2f} − {pair.mean_second:.2f}", words.p(pair.p_value)))  # fmt: skip
    head = ("Category", "", "Arms", "Marks per case, difference", "p")
    table = page.table(head, tests, numbers=(3, 4))
    return page.section(
        "Marks by category",
        page.table(("Reader", "Category", *found.arms), rows, numbers=tuple(range(2, 2 + len(found.arms)))),
        page.paragraph("Marks, in brackets hits and false marks.", "note"),
        Html(f"<details><summary>{len(tests)} tests between arms</summary>{table}</details>") if tests else None,
    )


def _category_cell(one: CategoryCounts | None) -> str:
    return words.NONE if one is None else f"{one.marks} ({one.hits}, {one.false_marks})"


def _contrast(found: LesionReading) -> Html | None:
    if not found.contrast:
        return None
    rows = [
        (
            one.arm,
            one.image,
            one.outcome,
            one.places,
            f"{one.cnr_median:.2f} ({one.cnr_quartiles[0]:.2f} – {one.cnr_quartiles[1]:.2f})",
            words.NONE
            if one.ratio_median is None or one.ratio_quartiles is None
            else f"{one.ratio_median:.2f} ({one.ratio_quartiles[0]:.2f} – {one.ratio_quartiles[1]:.2f})",
        )
        for one in found.contrast
    ]
    pairs = [
        (f"{one.first} − {one.second}", one.lesions, words.signed(one.cnr_difference_median, 2), words.p(one.p_value))
        for one in found.paired_contrast
    ]
    head = ("Arm", "Image", "What", "Places", "CNR, median (quartiles)", "Lesion / background, median (quartiles)")
    return page.section(
        "Contrast of what was marked",
        page.table(head, rows, numbers=(3, 4, 5)),
        Html("<h3>The same lesions on two images</h3>") if pairs else None,
        page.table(("Images", "Lesions", "CNR, median difference", "Wilcoxon, p"), pairs, (1, 2, 3)) if pairs else None,
    )


def _cases(found: LesionReading) -> str:
    return f"{found.cases} cases, {found.cases_with_lesions} of them with {found.lesions} lesions in all"
