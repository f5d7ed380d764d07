"""Parts that every report has: readers, notes, agreement, times, forms, leak check, methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from MedUSISLib.study.analysis.result_parts import FormSummary
from MedUSISLib.study.analysis.result_statistics import Agreement, Note
from MedUSISLib.study.analysis.results import StudyResults
from MedUSISLib.study.protocol import BLINDED_ROLES
from MedUSISLib.study.report import words
from MedUSISLib.study.report.methods import methods
from MedUSISLib.synthesis import report_page as page
from MedUSISLib.synthesis.report_page import Html

FEW_IMAGES = 12
"""Of an arm. With six the rank tests of the check notice a complete separation only, with twelve an AUC of 0.85."""


def narrow(picture: Html) -> Html:
    """A picture that is not stretched over the page."""
    return Html(f'<div style="max-width:640px">{picture}</div>')


def notes_list(notes: Sequence[Note]) -> Html | None:
    """Notes as a list, each with its code."""
    if not notes:
        return None
    items = "".join(
        f"<li><span>{page.text(note.message)} <small>{page.text(note.code)}</small></span></li>" for note in notes
    )
    return Html(f'<ul class="flags">{items}</ul>')


def readers(results: StudyResults) -> Html:
    """Who read how much, and what was left out."""
    rows = [
        (
            reader.reader,
            f"{reader.answered} of {reader.expected}",
            reader.corrected_answers,
            "yes" if reader.closed else "no",
            "yes" if reader.reader in results.analysed_readers else "no",
            "; ".join(f"{name}: {value}" for name, value in reader.profile.items()) or words.NONE,
        )
        for reader in results.readers
    ]
    counts = results.materials
    text = (
        f"{counts.cases} cases, {counts.images} images, {counts.answers} answers, of which {counts.analysed} are "
        f"analysed; {counts.training} to training trials and {counts.repeats} to repeated trials are not."
    )
    head = ("Reader", "Answered", "Corrected", "Closing form", "In the analysis over readers", "Said of himself")
    return page.section(
        "Readers and what was left out",
        page.paragraph(text),
        page.table(head, rows, numbers=(1, 2)),
        notes_list(results.notes),
    )


def agreement(found: Sequence[Agreement], pictures: Mapping[str, bytes]) -> Html | None:
    """Between readers, in pairs, and of readers with themselves."""
    rows: list[tuple[object, ...]] = []
    for one in found:
        place = f"{one.question}, {one.arm}" if one.arm else one.question
        for c in one.between:
            rows.append((place, "all readers", c.name, words.coefficient(c), f"{c.subjects} subjects"))
        for pair in one.pairs:
            both = f"{pair.first} and {pair.second}"
            rows.append((place, both, "Cohen's kappa", words.coefficient(pair.kappa), _same(pair.same, pair.total)))
        for pair in one.within:
            again = f"{pair.first}, read again"
            rows.append((place, again, "Cohen's kappa", words.coefficient(pair.kappa), _same(pair.same, pair.total)))
        if one.numbers is not None:
            icc = one.numbers
            value = f"{words.number(icc.single, 2)} {words.interval(icc.single_low, icc.single_high, 2)}"
            rows.append((place, "all readers", "intraclass correlation", value, f"{icc.subjects} cases"))
    if not rows:
        return None
    chart = pictures.get("agreement")
    return page.section(
        "Agreement",
        narrow(page.picture(chart, "Coefficients of agreement with their intervals")) if chart else None,
        page.table(("Question", "Readers", "Coefficient", "Value", "From"), rows, numbers=(3,)),
        page.paragraph(
            'Kappa falls to 0 when nearly all answers are the same, whatever the agreement; "not defined" means that '
            "nobody ever used a second answer.",
            "note",
        ),
    )


def times(results: StudyResults, pictures: Mapping[str, bytes]) -> Html | None:
    """Seconds per answer."""
    if not results.times:
        return None
    rows = [
        (
            f"{one.kind} {one.name}",
            one.answers,
            words.seconds(one.median_s),
            f"{words.seconds(one.quartiles_s[0])} – {words.seconds(one.quartiles_s[1])}",
            words.seconds(one.total_s),
        )
        for one in results.times
    ]
    chart = pictures.get("times")
    head = ("", "Answers", "Median", "Quartiles", "All together")
    return page.section(
        "Response times",
        page.columns(
            page.picture(chart, "Median and quartiles of the seconds per answer") if chart else None,
            page.table(head, rows, numbers=(1, 2, 3, 4)),
        ),
        page.paragraph("Without breaks; corrections are counted with the answer that they correct.", "note"),
    )


def closing(found: Sequence[FormSummary]) -> Html | None:
    """Scales with their distribution, texts as they were written."""
    scales = [one for one in found if one.kind != "text" and one.answers]
    texts = [(reader, one.text, said) for one in found if one.kind == "text" for reader, said in one.answers.items()]
    if not scales and not texts:
        return None
    rows = []
    for one in scales:
        ends = f" (1 {one.lowest}, {one.points} {one.highest})" if one.points and one.lowest else ""
        median = words.number(one.median, 1) if one.median is not None else words.NONE
        rows.append((one.text + ends, len(one.answers), median, _distribution(one)))
    return page.section(
        "Closing form",
        page.table(("Question", "Readers", "Median", "Answers"), rows, numbers=(1, 2)) if rows else None,
        Html("<h3>In the readers' words</h3>") if texts else None,
        page.table(("Reader", "Question", ""), texts) if texts else None,
    )


def leaks(results: StudyResults) -> Html:
    """The leak check as it is now, and what somebody accepted."""
    rows = [(one.severity, one.title, one.what) for one in results.leak_check.findings]
    images = ", ".join(f"{count} {role}" for role, count in sorted(results.leak_check.images.items()))
    open_leaks = sum(one.severity == "leak" for one in results.leak_check.findings)
    said = f"{images} images were looked at: " + (
        f"{open_leaks} leak(s)." if open_leaks else "nothing but the picture was found to tell real from synthetic."
        if not results.accepted_leaks else f"no leak but {len(results.accepted_leaks)} that somebody accepted."
    )  # fmt: skip
    arms = [results.leak_check.images.get(role, 0) for role in BLINDED_ROLES]
    if min(arms) == 0:
        said = f"{images} images; real and synthetic ones are not compared in this study."
    elif min(arms) < FEW_IMAGES:
        said += (
            f" With fewer than {FEW_IMAGES} images of an arm, of figures that vary from image to image only those that"
            " separate the arms almost completely can be found."
        )
    accepted = [(one.code, one.what, one.reason, one.at) for one in results.accepted_leaks]
    return page.section(
        "Blinding",
        page.paragraph(said),
        page.table(("", "What differs", "How"), rows) if rows else None,
        Html("<h3>Accepted</h3>") if accepted else None,
        page.table(("Code", "Finding", "Reason", "When"), accepted) if accepted else None,
    )


def methods_section(results: StudyResults) -> Html:
    """Methods, references, hashes and versions."""
    paragraphs, references = methods(results)
    items = "".join(f"<li>{page.text(reference)}</li>" for reference in references)
    facts = [
        ("Study", results.study),
        ("Protocol, SHA-256", results.protocol_sha256),
        ("What answers are tied to, SHA-256", results.binding_sha256),
        ("Analysed", results.analysed_at),
        *(results.software.items()),
    ]
    return page.section(
        "Methods",
        *(page.paragraph(text) for text in paragraphs),
        Html(f"<h3>References</h3><ol>{items}</ol>"),
        Html("<h3>Made with</h3>"),
        page.table(("", ""), facts),
    )


def _same(same: int, total: int) -> str:
    return f"{same} of {total} the same"


def _distribution(one: FormSummary) -> str:
    if one.points is None:
        return ", ".join(f"{reader}: {value}" for reader, value in one.answers.items())
    values = [int(float(value)) for value in one.answers.values()]
    return ", ".join(f"{point}: {values.count(point)}" for point in range(1, one.points + 1))
