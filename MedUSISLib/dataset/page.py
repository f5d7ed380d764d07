"""dataset.html: every case with its picture, every problem with what to do; one file, nothing loaded from elsewhere.

It shows patients and names their files, and says so: for use inside the hospital only.
"""

from __future__ import annotations

import base64
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from html import escape

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.dataset.case_look import CaseLook
from MedUSISLib.dataset.model import CaseEntry, Dataset, FileEntry, Problem
from MedUSISLib.dataset.problems import PROBLEMS, SEVERITIES
from MedUSISLib.dataset.split import SPLITS
from MedUSISLib.synthesis import report_page as page
from MedUSISLib.synthesis.report_page import Html, text

CAUTION = "PATIENT DATA - this page must not leave the hospital"
_STYLE = """
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 14px; }
.case { border: 1px solid var(--line); border-radius: 8px; overflow: hidden; background: #fff; break-inside: avoid; }
.case img { display: block; width: 100%; height: auto; background: #000; }
.case .nothing { background: #0d1117; color: #9aa5b1; padding: 34px 0; text-align: center; font-size: 13px; }
.case .body { padding: 9px 12px 11px; }
.case h3 { margin: 0 0 5px; font-size: 14.5px; overflow-wrap: anywhere; display: flex; gap: 6px; flex-wrap: wrap;
           align-items: baseline; }
.case ul { margin: 0; padding: 0; list-style: none; font-size: 13px; }
.case li { padding: 2px 0; overflow-wrap: anywhere; }
.case li b { display: inline-block; min-width: 46px; font-weight: 600; }
.case .soft, .soft { color: var(--soft); }
.case .facts { display: block; color: var(--soft); padding-left: 50px; }
.case.unused { opacity: .72; }
.case.unused .name { text-decoration: line-through; text-decoration-color: var(--worry); }
.chip { display: inline-block; border-radius: 20px; font-size: 11.5px; font-weight: 600; padding: 0 8px; color: #fff;
        text-decoration: none; white-space: nowrap; }
.chip.train { background: #1f6feb; } .chip.validation { background: #8250df; } .chip.test { background: #57606a; }
.chip.error { background: var(--worry); } .chip.warning { background: var(--look); }
.chip.note { background: #fff; color: var(--unknown); box-shadow: inset 0 0 0 1px #b6bec7; }
.chip.off { background: #fff; color: var(--worry); box-shadow: inset 0 0 0 1px var(--worry); }
.trouble { border-top: 1px solid var(--line); margin-top: 6px; padding-top: 5px; font-size: 13px; }
.trouble p { margin: 0 0 3px; overflow-wrap: anywhere; }
td { overflow-wrap: break-word; } td:first-child { width: 36%; } .legend + p { margin-top: 10px; }
code { font-size: 12.5px; background: var(--page); padding: 0 3px; border-radius: 3px; }
details.more > summary { padding: 4px 0; }
h2 .count { color: var(--soft); font-weight: 400; }
"""
_LONG = 25


def dataset_page(dataset: Dataset, looks: Sequence[CaseLook], schema: LabelSchema) -> str:
    """The page as a string.

    Parameters
    ----------
    dataset : Dataset
    looks : sequence of CaseLook
        Pictures of the cases, in their order.
    schema : LabelSchema
        Whose colours the legend shows.
    """
    body = [
        Html(f"<style>{_STYLE}</style>"),
        _head(dataset),
        _counts(dataset),
        _problems(dataset),
        *_case_sections(dataset, looks),
        _unused_files(dataset),
        _people(dataset),
        _legend(schema, dataset),
        page.section("How to change it", _how_to()),
    ]
    return page.document("MedUSIS dataset", CAUTION, [str(part) for part in body if part is not None])


def _head(dataset: Dataset) -> Html:
    return Html(
        "<header><h1>Dataset for training</h1>"
        f"<p>{text(len(dataset.files))} files, label schema {text(dataset.label_schema)}, seed {text(dataset.seed)}, "
        f"{text(dataset.software)}</p></header>"
    )


def _counts(dataset: Dataset) -> Html:
    used = list(dataset.used_cases())
    roles = Counter(file.role for file in dataset.files)
    numbers = [
        (len(dataset.people), "people"),
        (f"{len(used)} / {len(dataset.cases)}", "cases used"),
        (roles["ct"], "CT"),
        (roles["mr"], "MR"),
        (roles["labels"], "label maps"),
        (sum(bool(case.ct and case.labels) for case in used), "CT with labels"),
        (sum(bool(case.mr and case.labels) for case in used), "MR with labels"),
        (sum(bool(case.ct and case.mr) for case in used), "CT with its MR"),
    ]
    rows = []
    for split in SPLITS:
        cases = list(dataset.used_cases(split))
        people = {case.person for case in cases}
        rows.append(
            (
                Html(f'<span class="chip {split}">{split}</span>'),
                len(people),
                len(cases),
                sum(case.ct is not None for case in cases),
                sum(case.mr is not None for case in cases),
                sum(case.ct is None and case.mr is None for case in cases),
            )
        )
    split_table = page.table(
        ("", "people", "cases used", "with CT", "with MR", "labels alone"), rows, numbers=(1, 2, 3, 4, 5)
    )
    changes = None
    if dataset.changes:
        items = "".join(f"<li>{text(change)}</li>" for change in dataset.changes)
        changes = Html(f"<h3>Since the last scan</h3><ul>{items}</ul>")
    left = [f"{count} {'of other kinds' if s == 'other' else s}" for s, count in dataset.left_out.items()]
    note = page.paragraph(f"Files that were not looked at: {', '.join(left)}.", "note") if left else None
    return page.section("What was found", page.tiles(numbers), split_table, changes, note)


def _problems(dataset: Dataset) -> Html:
    if not dataset.problems:
        return page.section("Problems", page.paragraph("None was found."))
    by_code: dict[str, list[Problem]] = defaultdict(list)
    for problem in dataset.problems:
        by_code[problem.code].append(problem)
    parts: list[str] = []
    for severity in SEVERITIES:
        for code in (c for c in PROBLEMS if c in by_code and PROBLEMS[c].severity == severity):
            kind, found = PROBLEMS[code], by_code[code]
            rows = [(_where(dataset, problem), problem.what) for problem in found]
            title = (
                f'<span class="chip {severity}">{severity}</span> {text(kind.title)} '
                f'<span class="soft">· {len(found)} · {text(code)}</span>'
            )
            is_open = " open" if severity != "note" and len(found) <= _LONG else ""
            parts.append(
                f'<details class="more"{is_open}><summary>{title}</summary>'
                f'<p class="note">What to do: {text(kind.advice)}.</p>'
                f"{page.table(('where', 'what'), rows)}</details>"
            )
    return page.section("Problems", Html("\n".join(parts)))


def _where(dataset: Dataset, problem: Problem) -> Html:
    case = problem.case
    name = _breakable(_shown_path(dataset, dataset.file(problem.file)) if problem.file else _case_title(dataset, case))
    shown = any(c.id == case for c in dataset.cases)
    return Html(f'<a href="#{escape(str(case))}">{name}</a>') if shown else name


def _breakable(name: str) -> Html:
    """A long name that may be broken after its separators, not within its words."""
    return Html(re.sub(r"([/_-])", r"\1<wbr>", text(name)))


def _shown_path(dataset: Dataset, file: FileEntry) -> str:
    """From the scanned folder on, with that folder's name where there were several."""
    for root in dataset.roots:
        if file.path.startswith(root + "/"):
            below = file.path.removeprefix(root + "/")
            return below if len(dataset.roots) == 1 else f"{root.rpartition('/')[2]}/{below}"
    return file.path


def _case_title(dataset: Dataset, case_id: str | None) -> str:
    case = next((c for c in dataset.cases if c.id == case_id), None)
    return f"{case.person} ({case.id})" if case is not None else "all files"


def _case_sections(dataset: Dataset, looks: Sequence[CaseLook]) -> list[Html]:
    by_case: dict[str | None, list[Problem]] = defaultdict(list)
    for problem in dataset.problems:
        by_case[problem.case].append(problem)
    used = {case.id: case for case in dataset.used_cases()}
    groups: dict[str, list[str]] = {"CT": [], "MR": [], "Labels without an image": []}
    for case, look in zip(dataset.cases, looks, strict=True):
        group = "CT" if case.ct else "MR" if case.mr else "Labels without an image"
        groups[group].append(_card(dataset, case, look, by_case[case.id], used.get(case.id)))
    notes = {
        "CT": "Outlines are the labels. Soft tissue window, -160 to 240 HU.",
        "MR": "Outlines are the labels, where there are any.",
        "Labels without an image": "Good for unpaired training and for the segmentator.",
    }
    planes = "Axial, coronal and sagittal through the middle; the patient's right is on the left."
    return [
        page.section(
            f"{name}: {len(cards)} cases",
            page.paragraph(f"{notes[name]} {planes}", "note"),
            Html(f'<div class="cases">{"".join(cards)}</div>'),
        )
        for name, cards in groups.items()
        if cards
    ]


def _card(dataset: Dataset, case: CaseEntry, look: CaseLook, problems: list[Problem], used: CaseEntry | None) -> str:
    pictures = "".join(
        f'<img loading="lazy" alt="{escape(role.upper())}, three planes" '
        f'src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode("ascii")}">'
        for role, jpeg in look.pictures
    )
    split = dataset.split_of(case.person)
    lines = []
    for role, file_id in (("CT", case.ct), ("MR", case.mr), ("labels", case.labels)):
        if file_id is None:
            continue
        file = dataset.file(file_id)
        off = "" if file.use else ' <span class="chip off">not used</span>'
        lines.append(f'<li><b>{role}</b> {text(_short(file))}{off}<span class="facts">{text(_facts(file))}</span></li>')
    if case.coverage is not None:
        lines.append(f'<li class="soft">labels cover {100 * case.coverage:.0f} % of the body</li>')
    trouble = "".join(
        f'<p><span class="chip {p.severity}">{text(p.code)}</span> {text(p.what)}</p>' for p in _sorted(problems)
    )
    if trouble:
        trouble = f'<div class="trouble">{trouble}</div>'
    off = "" if used is not None else '<span class="chip off">not used</span>'
    kind = "case" if used is not None else "case unused"
    return (
        f'<div class="{kind}" id="{escape(case.id)}">{pictures or "<div class=nothing>no picture</div>"}'
        f'<div class="body"><h3><span class="name">{text(case.person)}</span> '
        f'<span class="chip {split}">{split}</span>{off}</h3>'
        f"<ul>{''.join(lines)}</ul>{trouble}</div></div>"
    )


def _sorted(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda p: SEVERITIES.index(p.severity))


def _short(file: FileEntry) -> str:
    return file.path.rpartition("/")[2]


def _facts(file: FileEntry) -> str:
    facts = []
    if file.size_ijk and file.spacing_mm:
        facts.append(" x ".join(map(str, file.size_ijk)))
        facts.append(" x ".join(f"{s:.3g}" for s in file.spacing_mm) + " mm")
    if file.sequence:
        facts.append(file.sequence)
    if file.labels:
        facts.append(f"{len(file.labels)} label{'s' * (len(file.labels) > 1)}")
    if file.role == "labels":
        facts.append(f"mapping {file.mapping}" if file.mapping else "no mapping of its own")
    return ", ".join(facts)


def _unused_files(dataset: Dataset) -> Html | None:
    in_cases = {file for case in dataset.cases for file in case.files()}
    loose = [file for file in dataset.files if file.id not in in_cases]
    if not loose:
        return None
    rows = [
        (_breakable(_shown_path(dataset, f)), _breakable(f.person), f.role, f.recognised_by, _facts(f)) for f in loose
    ]
    listing = page.table(("file", "person", "role", "recognised by", "facts"), rows)
    why = page.paragraph(
        "Copies, masks of one structure, further label maps of an image, and what cannot be used.", "note"
    )
    return page.section(f"Files in no case: {len(loose)}", why, listing)


def _people(dataset: Dataset) -> Html:
    cases = Counter(case.person for case in dataset.cases)
    files = Counter(file.person for file in dataset.files)
    rows = [
        (
            person.id,
            Html(f'<span class="chip {person.split}">{person.split}</span>'),
            "by hand" if person.found_split not in (None, person.split) else "by lot",
            cases[person.id],
            files[person.id],
        )
        for person in dataset.people
    ]
    listing = page.table(("person", "side", "decided", "cases", "files"), rows, numbers=(3, 4))
    is_open = " open" if len(rows) <= _LONG else ""
    inside = Html(f'<details class="more"{is_open}><summary>{len(rows)} people</summary>{listing}</details>')
    return page.section("People and split", inside)


def _legend(schema: LabelSchema, dataset: Dataset) -> Html | None:
    if not any(file.role == "labels" for file in dataset.files):
        return None
    items = [page.swatch(label.color, label.title) for label in schema.classes[1:]]
    note = page.paragraph("Values without a mapping have colours of no meaning.", "note")
    return page.section(f"Colours of the classes of {schema.id}", page.legend(items), note)


def _how_to() -> Html:
    return Html(
        "<p>Edit <code>dataset.json</code> beside this page with any text editor, then run the same scan again: edits "
        "are kept, and this page shows them. The last state is kept as <code>dataset.previous.json</code>.</p>"
        "<ul><li><code>use</code> of a file or case: take it or leave it.</li>"
        "<li><code>role</code> of a file: ct, mr, labels or ignore.</li>"
        "<li><code>person</code> of a file: who it belongs to.</li>"
        "<li><code>mapping</code> of a label map: a name, or the path of a CSV table.</li>"
        "<li><code>ct</code>, <code>mr</code>, <code>labels</code> of a case: which files belong together.</li>"
        "<li><code>split</code> of a person: train, validation or test.</li></ul>"
    )
