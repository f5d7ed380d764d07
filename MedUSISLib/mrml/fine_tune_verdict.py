"""Is a training going well? One sentence in plain words, and a colour, from its log and its state.

The rule, in this order (docs/slicer.md says it for users):

1. It ended with an error, or a loss is no number: *Went wrong*.
2. It went back once or more because something had gone wrong: *Look at it*.
3. It warned of classes that have changed places: *Look at it*.
4. No check on held-out people in the last phase yet: *Too early to say*. Only the last phase makes the final images; in
   the first one the generator hardly moves.
5. The correlation of the class means is below 0.8, or the checkerboard index above twice the parent's: *Look at it*.
   Neither must show in the criterion.
6. The newest check is better than the generator that it started from: *Going well*.
7. An earlier one was, the newest is not: *Look at it*. It is getting worse, and the best state is kept.
8. None was, after fewer than three checks: *Too early to say*; after three or more: *Look at it*.

When it has ended, the state that became the generator counts as the newest.

Without a parent's figures the first check of the last phase stands for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from MedUSISLib.mrml.fine_tune_figures import best, figure, text_of

if TYPE_CHECKING:
    from MedUSISLib.mrml.fine_tune_runs import RunFacts
    from MedUSISLib.runs.status import RunStatus
    from MedUSISLib.training.log import TrainingLog

ENOUGH_CHECKS = 3
LOWEST_CORRELATION = 0.8
MOST_CHECKERBOARD = 2.0


@dataclass(frozen=True)
class Verdict:
    """``level``: "ok", "look", "worry" or "unknown"; a title of two or three words; a sentence."""

    level: str
    title: str
    sentence: str


def verdict(status: RunStatus, log: TrainingLog, facts: RunFacts) -> Verdict:
    """What to think of a run; see the rule above."""
    state = str(getattr(status.state, "value", status.state))
    if state == "failed":
        return _worry(_sentence(status.message) or "It ended with an error.")
    if any(points and not math.isfinite(points[-1][1]) for points in log.losses.values()):
        return _worry("A loss is no number any more: the training has diverged.")
    if state == "queued":
        first = status.position_in_queue in (None, 1)
        sentence = "It begins in a moment, or when the run that is going on has ended."
        return Verdict("unknown", "Waiting", sentence if first else "It begins when those before it have ended.")
    ended = state == "finished"
    if state == "stopped":
        return Verdict("unknown", "Stopped", "It was stopped before it had ended; no generator was made.")
    if log.rollbacks:
        count = len(log.rollbacks)
        trouble = log.rollbacks[-1].trouble.replace("_", " ")
        often = "once" if count == 1 else f"{count} times"
        return _look(f"It went wrong {often} ({trouble}), went back and goes on with smaller steps.", ended)
    swapped = next((text for code, text in status.warnings if code == "CLASSES_SWAPPED"), "")
    if swapped:
        return _look(f"Classes may have changed places: {swapped.rstrip('.')}. Look at the pictures.", ended)
    return _by_checks(log, facts, ended)


def _by_checks(log: TrainingLog, facts: RunFacts, ended: bool) -> Verdict:
    name = facts.criterion
    checks = [(it, figures) for it, figures in log.validations if it > facts.judged_after and name in figures]
    if not checks:
        when = facts.first_judgement
        text = f"The first check that counts comes at iteration {when}." if when else "Nothing was checked yet."
        return Verdict("unknown", "Too early to say", text)
    newest, before = checks[-1][1], log.before
    if ended:  # what was made into a generator is not always the last state
        newest = dict(checks).get(log.chosen or -1, newest)
    if newest.get("correlation", 1.0) < LOWEST_CORRELATION:
        return _look(
            "Classes may have changed places: the correlation of their brightness with the real MR is only"
            f" {newest['correlation']:.2f}. Look at the pictures.",
            ended,
        )
    if before and newest.get("checkerboard", 0.0) > MOST_CHECKERBOARD * before.get("checkerboard", math.inf):
        return _look("A regular pattern appears in the images. Look at the pictures, enlarged.", ended)
    found = best([(it, figures[name]) for it, figures in checks], name)
    reference = before[name] if before and name in before else checks[0][1][name]
    if found is None:
        return _worry("The checks give no numbers.")
    cost = figure(name).cost
    if not ended and cost(found[1]) < cost(reference) <= cost(newest.get(name, math.nan)):
        return _look(
            f"It was best at iteration {found[0]} ({text_of(name, found[1])}) and is worse now"
            f" ({text_of(name, newest[name])}); {_other(facts, before is not None)} had {text_of(name, reference)}."
            " The best state is kept: if this goes on, finish now.",
            ended,
        )
    return _compared(found[1], reference, len(checks), before is not None, facts, ended)


def _other(facts: RunFacts, to_parent: bool) -> str:
    return (facts.parent or "the generator it started from") if to_parent else "the first check"


def _compared(value: float, reference: float, checks: int, to_parent: bool, facts: RunFacts, ended: bool) -> Verdict:
    name, about = facts.criterion, figure(facts.criterion)
    other = _other(facts, to_parent)
    figures = f"{about.title} on held-out people: {text_of(name, value)}, {other} had {text_of(name, reference)}"
    if about.cost(value) < about.cost(reference):
        title = "Went well" if ended else "Going well"
        return Verdict("ok", title, f"Better than {other}. {figures[:1].upper()}{figures[1:]}.")
    if checks < ENOUGH_CHECKS and not ended:
        return Verdict("unknown", "Too early to say", f"{figures[:1].upper()}{figures[1:]}, after {_checks(checks)}.")
    advice = " Compare the pictures before you use it." if ended else " Look at the pictures; it may need more time."
    return _look(f"Not better than {other} so far. {figures[:1].upper()}{figures[1:]}.{advice}", ended)


def _checks(count: int) -> str:
    return "one check" if count == 1 else f"{count} checks"


def _worry(sentence: str) -> Verdict:
    return Verdict("worry", "Went wrong", sentence)


def _look(sentence: str, ended: bool) -> Verdict:
    if ended:
        sentence = sentence.replace(" and goes on with", " and went on with")
    return Verdict("look", "Look at it", sentence)


def _sentence(text: str) -> str:
    text = text.strip()
    if not text:
        return ""
    return text[:1].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")
