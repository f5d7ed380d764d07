"""What the reading room says."""

from __future__ import annotations

from dataclasses import dataclass

from slicer.i18n import tr as _

from MedUSISLib.mrml.reading_flow import Step

from .message_page import error_text


@dataclass(frozen=True)
class Page:
    """A page without images; buttons without a text are hidden."""

    title: str
    text: str
    way_on: str = ""
    leave: str = ""
    questions: tuple = ()


def page_of(step, flow, package, answers: str) -> Page:
    """The page of a step other than a trial."""
    count = _counted(flow)
    if step is Step.INTRODUCTION:
        return _introduction(flow, package)
    if step is Step.PROFILE:
        return Page(_("About you"), _("Stored with your answers."), _("Continue"), _("Leave"), package.profile)
    if step is Step.PRACTICE_OVER:
        return Page(_("The practice is over"), _("From now on your answers count."), _("Begin"), _("Leave"))
    if step is Step.BREAK:
        text = _("{count}\n\nTime for a break. The clock stands still; your answers are stored.").format(count=count)
        return Page(_("Break"), text, _("Go on"), _("Leave"))
    if step is Step.PAUSED:
        text = _("{count}\n\nThe clock stands still; your answers are stored.").format(count=count)
        return Page(_("Paused"), text, _("Go on"), _("Leave"))
    if step is Step.WAITING:
        when = flow.opens_at().astimezone().strftime("%d.%m.%Y %H:%M")
        text = _("{count}\n\nThe next session opens at {when}. Open the same package again then.").format(
            count=count, when=when
        )
        return Page(_("Until the next session"), text, "", _("Leave"))
    if step is Step.CLOSING:
        text = _("All trials are answered. Some last questions:")
        return Page(_("Nearly done"), text, _("Finish"), _("Leave"), package.closing)
    text = _(
        "{count}\n\nThank you. Please give the file of your answers back to whoever runs the study:\n{file}"
    ).format(count=count, file=answers)
    return Page(_("Finished"), text, _("Close"), "")


def _introduction(flow, package) -> Page:
    parts = [package.introduction]
    if flow.session.rows:
        parts.append(_counted(flow))
    if flow.interrupted:
        parts.append(
            _(
                "Last time the reading ended without being left: a crash, a power cut, or the program was closed. "
                "Every answer that you confirmed is there; a trial that was open is shown again."
            )
        )
    parts.append(
        _(
            "Each trial is answered beside its images: choose with the number keys or the buttons, say how sure you "
            "are, and confirm with Enter. Each answer is stored at once. Esc pauses."
        )
    )
    begun = any(row.kind == "answer" for row in flow.session.rows)
    title = package.title or _("Reader study")
    return Page(title, "\n\n".join(filter(None, parts)), _("Continue") if begun else _("Begin"), _("Leave"))


def _counted(flow) -> str:
    trials = flow.session.package.trials
    complete = [t for t in trials if len(t.stages) == sum(bool(flow.session.answers_to(t.id, n)) for n in _stages(t))]
    read = [trial for trial in trials if not trial.training]
    done = sum(not trial.training for trial in complete)
    return _("{done} of {total} trials are answered.").format(done=done, total=len(read))


def _stages(trial) -> range:
    return range(len(trial.stages))


def position_text(position) -> str:
    """``"12 of 60"``."""
    text = _("{number} of {total}").format(number=position.number, total=position.total)
    return _("Practice {position}").format(position=text) if position.training else text


def stage_text(position, correcting: bool) -> str:
    """What is special about a trial: its stage, or that it is looked at again."""
    if correcting:
        return _("You answered this trial already. Confirm to correct the answer, or go forward.")
    if position.stages == 1:
        return ""
    if position.stage == 1:
        return _("First without the aid.")
    return _("Now with the aid. Your first answer is stored and stays; change it here, or confirm it.")


def place_titles(places) -> list[str]:
    """What is written above each image; nothing above a single one, numbers where two are of a kind."""
    if len(places) == 1:
        return [""]
    titles = {"left": _("Left"), "right": _("Right"), "mr": "MR", "ct": "CT", "map": _("Map")}
    return [
        titles[place] if places.count(place) == 1 else f"{titles[place]} {places[: index + 1].count(place)}"
        for index, place in enumerate(places)
    ]


def feedback_text(feedback, package, given) -> str:
    """What is right, beside what the reader said."""
    lines = []
    if feedback.answer:
        labels = {
            option: label
            for question in package.questions
            if question.kind == "choice"
            for option, label in zip(question.options, question.labels or question.options, strict=True)
        }
        lines.append(_("Right: {answer}").format(answer=labels.get(feedback.answer, feedback.answer)))
        said = [labels[value] for value in given.values() if isinstance(value, str) and value in labels]
        if said:
            lines.append(_("You said: {answer}").format(answer=", ".join(said)))
    marks = [value for value in given.values() if isinstance(value, list)]
    if marks:
        count = len(feedback.lesions_lps_mm)
        lines.append(_("Right: lesions here: {count}, green in the images.") if count else _("Right: no lesion."))
        lines[-1] = lines[-1].format(count=count)
        lines.append(_("Your marks: {marks}").format(marks=len(marks[0])))
    return "\n".join(lines)


def not_stored(error) -> str:
    """Why an answer was not stored, and that nothing else is lost."""
    return _("This answer is NOT stored: {reason}").format(reason=error_text(error))
