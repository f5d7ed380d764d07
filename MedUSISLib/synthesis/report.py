"""report.html: a result to look at, in one file that needs nothing else and names nobody.

It shows what was put in, what came out and where not to trust it; every number comes with what it means and what
would be worrying. File names and paths never get in: settings come from ``SynthesisRequest.settings()``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.synthesis import report_page as page
from MedUSISLib.synthesis.quality import quality_report
from MedUSISLib.synthesis.quality_flags import limit_of
from MedUSISLib.synthesis.quality_guide import UNCERTAINTY, Level, measures_of
from MedUSISLib.synthesis.report_charts import contrast_png, histogram_png
from MedUSISLib.synthesis.report_page import Html
from MedUSISLib.synthesis.report_pictures import montage_png, series_png
from MedUSISLib.synthesis.report_scene import Scene
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE, SynthesisResult

_VERDICTS = {
    "ok": ("Nothing remarkable was found", "That is not a proof of correctness: invented anatomy can be consistent."),
    "look": ("Have a look before using this volume", "Something is outside the usual range."),
    "worry": ("Review this volume before any use", "Something is far outside the usual range."),
}
_PATHLIKE = re.compile(r"(?:[A-Za-z]:\\|\\\\|~/|/)(?:[^\s\"'<>|]+[/\\])+[^\s\"'<>|]*")


def write_report(result: SynthesisResult, path: str | Path) -> Path:
    """Write the HTML report of a result, whole or not at all.

    Parameters
    ----------
    result : SynthesisResult
        ``quality`` is measured here when it is still empty (and not stored).
    path : str or Path
        The HTML file.

    Returns
    -------
    Path
        The file written: UTF-8, pictures inside, no script, nothing loaded from elsewhere.

    Raises
    ------
    MedUSISError
        DISK_FULL, or BAD_SETTING when the folder cannot be written to.
    """
    path = Path(path)
    html = report_html(result)
    with atomic_path(path, ".html") as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path


def write_montage_png(result: SynthesisResult, path: str | Path, dpi: int = 160) -> Path:
    """Write the three-plane montage alone (for a README, a slide or a model card), caution burned in."""
    path = Path(path)
    with atomic_path(path, ".png") as temporary:
        temporary.write_bytes(montage_png(Scene(result), dpi))
    return path


def report_html(result: SynthesisResult) -> str:
    """The report as a string."""
    quality = result.quality or quality_report(result)
    scene = Scene(result)
    parts = [
        _head(result),
        _verdict(quality),
        _pictures(result, scene, quality),
        _numbers(quality),
        _uncertainty(result, quality),
        _classes(result, quality),
        _warnings(result),
        _provenance(result, quality),
        _generator(result),
        Html("<footer>Made by MedUSIS. The pictures show a computed image, not a measurement.</footer>"),
    ]
    return page.document("MedUSIS synthesis report", SYNTHETIC_NOTICE, [p for p in parts if p is not None])


def _head(result: SynthesisResult) -> Html:
    manifest = result.manifest
    name = f"{manifest.title or manifest.id} ({manifest.id} {manifest.version})"
    size = " x ".join(str(n) for n in result.ct.geometry.size_ijk)
    spacing = " x ".join(f"{s:.4g}" for s in result.ct.geometry.spacing_mm)
    return Html(
        f"<header><h1>Synthetic {page.text(manifest.modality)} from CT</h1>"
        f"<p>Generator {page.text(name)} · grid of the CT: {size} voxels of {spacing} mm</p></header>"
    )


def _verdict(quality: Mapping[str, Any]) -> Html:
    title, sentence = _VERDICTS[quality["verdict"]]
    items = "".join(
        f"<li>{page.badge(flag['level'])}<span>{page.text(flag['message'])}</span></li>" for flag in quality["flags"]
    )
    flags = Html(f'<ul class="flags">{items}</ul>') if items else None
    return page.section(title, page.paragraph(sentence), flags, kind=f"verdict {quality['verdict']}")


def _pictures(result: SynthesisResult, scene: Scene, quality: Mapping[str, Any]) -> Html:
    caption = (
        "Radiological view: the patient's right is on the left; R, L, A, P, S, I mark the sides. "
        "Windows of the float maps run over percentiles inside the body, so that colours are comparable within this "
        "report but not between reports."
    )
    used = {row["name"] for row in quality["intensity"]["classes"]}
    swatches = [
        page.swatch(c.color, c.title) for c in result.schema.classes if c.name in used and c.name != "background"
    ]
    series = series_png(scene)
    return page.section(
        "Pictures",
        page.picture(montage_png(scene), "CT, labels, MR, uncertainty and mask consistency", caption, dark=True),
        page.legend(swatches),
        None if series is None else Html("<h3>Axial slices, from bottom to top</h3>"),
        None if series is None else page.picture(series, "CT above synthetic MR in axial slices", dark=True),
    )


def _numbers(quality: Mapping[str, Any]) -> Html:
    rows = []
    for measure in measures_of(quality):
        value = measure.value(quality)
        level = measure.level(value, limit_of(measure.key, quality))
        if measure is UNCERTAINTY and level is not Level.UNKNOWN:
            level = _uncertainty_level(quality)
        mark = page.badge(level.value) if value is not None else Html("")
        rows.append((Html(f"<b>{page.text(measure.title)}</b>"), measure.text(value), mark, measure.meaning,
                     measure.worrying))  # fmt: skip
    return page.section(
        "Numbers", page.table(("Measure", "Value", "", "What it means", "What would be worrying"), rows, numbers=(1,))
    )


def _uncertainty_level(quality: Mapping[str, Any]) -> Level:
    review = quality["uncertainty"]["review"]
    return Level.UNKNOWN if review is None else Level.WORRY if review else Level.OK


def _uncertainty(result: SynthesisResult, quality: Mapping[str, Any]) -> Html | None:
    part = quality["uncertainty"]
    histogram = histogram_png(part, result.manifest.intensity.unit)
    if histogram is None:
        return None
    percentiles = part["deviation_percentiles"]
    rows = [(f"{name[1:]} % of the body is below", f"{value:.4f}") for name, value in percentiles.items()]
    rows.append(("mean variance (global uncertainty)", f"{part['global']:.3e}"))
    rows.append(("validation bound", "none" if part["threshold"] is None else f"{part['threshold']:.3e}"))
    if quality["noise_spread"]:
        rows.append((f"mean variance over {quality['noise_spread']['samples']} noise samples",
                     f"{quality['noise_spread']['global']:.3e}"))  # fmt: skip
    explanation = (
        "The network is asked several times with different parts switched off (dropout); the standard deviation of the "
        "answers says how sure it is, in the unit of the image. It does not see every mistake: the network can be sure "
        "and wrong, for example where the labels are wrong."
    )
    return page.section(
        "Uncertainty",
        page.paragraph(explanation),
        page.columns(
            page.picture(histogram, "Histogram of the standard deviation over the passes"),
            page.table(("Standard deviation", ""), rows, numbers=(1,)),
        ),
    )


def _classes(result: SynthesisResult, quality: Mapping[str, Any]) -> Html:
    intensity = quality["intensity"]
    expected = intensity["expected"] or {}
    deviation = {row["name"]: row["deviation"] for row in quality["uncertainty"]["classes"]}
    again = {row["name"]: row for row in quality["resegmentation"]["classes"]}
    colours = {c.name: c.color for c in result.schema.classes}
    rows = []
    for row in intensity["classes"]:
        name = row["name"]
        found = again.get(name, {})
        dice = _number(found.get("dice"), 2)
        if found.get("includes"):
            dice += " *"
        rows.append((page.swatch(colours.get(name, (128, 128, 128)), row["title"]), f"{row['volume_ml']:.1f}",
                     _number(row["mean"], 3), _number(row["std"], 3), _number(expected.get(name), 3),
                     _number(deviation.get(name), 4), dice))  # fmt: skip
    # An undivided class can be in the comparison without a voxel of its own, and the other way round.
    head = ("Class", "Volume (ml)", "Mean", "SD", "Real mean", "Uncertainty (SD)", "Dice found again")
    reason = quality["resegmentation"]["reason"]
    note = (
        f"Intensities in units of the generator ({intensity['unit'] or 'arbitrary'}). "
        "'Real mean' is that of real MR in the generator's validation. 'Dice found again' compares the labels given "
        "with a segmentation of the synthetic MR by another network; * counts finer classes that the labels do not "
        "tell apart as this one."
    )
    chart = contrast_png(intensity, colours)
    return page.section(
        "Tissue by tissue",
        page.table(head, rows, numbers=(1, 2, 3, 4, 5, 6)),
        page.paragraph(note, "note"),
        page.paragraph(f"No Dice per class: {reason}.", "note") if reason else None,
        None if chart is None else Html(f'<div style="max-width:760px">{page.picture(chart, "Class means")}</div>'),
    )


def _warnings(result: SynthesisResult) -> Html | None:
    if not result.warnings:
        return None
    rows = [(w.code, without_paths(w.message, result)) for w in result.warnings]
    return page.section("Warnings of the run", page.table(("Code", "Message"), rows))


def _provenance(result: SynthesisResult, quality: Mapping[str, Any]) -> Html:
    settings = [(name.replace("_", " "), _setting(value)) for name, value in result.request.settings().items()]
    timings = [(stage, f"{seconds:.1f} s") for stage, seconds in quality["timings_s"].items()]
    memory = quality["peak_memory_mb"]
    if memory is not None:
        timings.append(("peak memory", f"{memory:.0f} MB"))
    dump = json.dumps(_redacted(result.provenance, result), indent=2, ensure_ascii=False, default=str)
    return page.section(
        "How it was made",
        page.columns(page.table(("Setting", ""), settings), page.table(("Stage", ""), timings, numbers=(1,))),
        page.details("Provenance (also in provenance.json)", dump) if result.provenance else None,
    )


def _generator(result: SynthesisResult) -> Html:
    manifest = result.manifest
    limits = "".join(f"<li>{page.text(limit)}</li>" for limit in manifest.known_limits)
    data = [(d.name, "" if d.subjects is None else d.subjects, d.use, d.licence) for d in manifest.training_data]
    return page.section(
        "The generator",
        page.paragraph(manifest.intended_use) if manifest.intended_use else None,
        Html(f"<h3>Known limits</h3><ul>{limits}</ul>") if limits else None,
        Html("<h3>Trained on</h3>") if data else None,
        page.table(("Data", "People", "Use", "Licence"), data, numbers=(1,)) if data else None,
        page.paragraph(f"Licence of the generator: {manifest.licence}", "note"),
    )


def without_paths(message: str, result: SynthesisResult) -> str:
    """A message without file names: those of this run, and anything that looks like a path.

    Nothing that reaches the report should hold one; a library's own message could.
    """
    request = result.request
    for given in (request.ct, request.segmentation, request.out):
        for name in (str(given), given.name):
            if len(name) >= 4 and ("." in name or "/" in name or "\\" in name or len(name) >= 8):
                message = message.replace(name, "[file]")
    return _PATHLIKE.sub("[file]", message)


def _redacted(value: Any, result: SynthesisResult) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _redacted(v, result) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(v, result) for v in value]
    return without_paths(value, result) if isinstance(value, str) else value


def _setting(value: object) -> str:
    return "-" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "-"
