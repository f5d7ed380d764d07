"""Small studies with packages for tests of the reading room, and a program that reads through buttons and keys."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import study_example
from sqlalchemy import event

from MedUSISLib.mrml.reading_layout import view_name
from MedUSISLib.study.answers import AnswerStore
from MedUSISLib.study.building import new_study
from MedUSISLib.study.key import load_study
from MedUSISLib.study.package import write_package
from MedUSISLib.study.protocol import Protocol, Randomisation, lesion_reading, visual_turing
from MedUSISLib.study.readings import readings

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE_FILE = REPOSITORY / "MedUSIS" / "MedUSISReader.py"
PROFILE = {"specialty": "radiology", "years": 12.0}
ORDER = Randomisation(gap=1)


def protocols() -> dict[str, Protocol]:
    """The kinds of studies that are read here."""
    small = study_example.small
    turing = visual_turing("heads", randomisation=ORDER)
    return {
        "turing": small(turing, breaks_after=2, training_feedback=True),
        "pairs": small(visual_turing("heads", forced_choice=True, randomisation=ORDER)),
        "slices": small(turing, display={"mode": "slice", "plane": "coronal"}, allow_back=True),
        "lesions": small(lesion_reading("heads", randomisation=ORDER), training_feedback=True),
        "sequential": small(lesion_reading("heads", design="sequential", randomisation=ORDER)),
    }


@dataclass(frozen=True)
class Study:
    """A study's folder and the package of its reader R1."""

    folder: Path
    package: Path

    @property
    def protocol(self) -> Protocol:
        return load_study(self.folder)[0]

    def stored(self, answers: Path) -> dict[tuple[str, int], dict[str, Any]]:
        """What the study finds in a file of answers: trial and stage to values."""
        return {(one.trial, one.stage): dict(one.values) for one in readings(self.folder, answers)}


def make_study(folder: Path, kind: str, heads: int = 4) -> Study:
    """Heads, the first of them for practice; few, because every key is drawn."""
    table = study_example.write_cases(folder / "cases", heads)
    new_study(table, protocols()[kind], folder / "study", secret=study_example.SECRET)
    write_package(folder / "study", "R1", folder / "R1.zip")
    return Study(folder / "study", folder / "R1.zip")


class SmallDisk:
    """Lets the file of a store grow no more while ``full``."""

    def __init__(self, store: AnswerStore) -> None:
        self.full = False
        event.listen(store._engine, "connect", self._limit)

    def _limit(self, connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={1 if self.full else 1073741823}")


@dataclass
class Reader:
    """Reads a package in the room, and remembers what was pressed.

    Attributes
    ----------
    said : dict
        Trial and stage to the answers that the page showed as confirmed.
    steps : list
        What was on the screen, in order.
    """

    window: Any
    room: Any
    seed: int = 0
    mouse: bool = False
    said: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def read(self, trials: int = 1000) -> None:
        """Read until the room closes, or this many stages were answered."""
        answered = 0
        while self.room.is_open and answered < trials:
            step = str(self.room.flow.step)
            self.steps.append(step)
            if step == "trial":
                self.answer()
                answered += 1
            elif step in ("profile", "closing"):
                self.fill()
            else:
                self.press("Return")

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            self.window.press(key)

    def fill(self) -> None:
        """A form, each field by keys or by its buttons."""
        for asked in self.room.message.fields:
            if asked.question.kind == "scale":
                asked.buttons[self._random.randrange(len(asked.buttons))].click()
            else:
                asked.edit.setFocus()
                for letter in str(PROFILE.get(asked.question.id, "fine")):
                    self.press(letter)
        self.press("Ctrl+Return")

    def answer(self) -> None:
        """One stage of a trial."""
        now = self.room.flow.now()
        given: dict[str, Any] = {}
        for asked in self.room.trial.fields:
            if asked.question.kind == "choice":
                chosen = self._random.randrange(len(asked.question.options))
                self._choose(asked, chosen)
                given[asked.question.id] = asked.question.options[chosen]
            elif asked.sliding:
                given[asked.question.id] = self._slide(asked)
        if self.room.trial.marks is not None:
            question = self.room.trial.marks.question
            given[question.id] = [*self._begun(now, question), *self._mark(question)]
        self.confirm()
        self.said[now.trial.id, now.stage_number] = given

    def confirm(self) -> None:
        if self.mouse:
            self.room.ui.confirmButton.click()
            self.window.process_events()
        else:
            self.press("Return")

    def _begun(self, now: Any, question: Any) -> list[dict[str, Any]]:
        """Marks that the stage before had; they are there again."""
        return list(self.said.get((now.trial.id, now.stage_number - 1), {}).get(question.id, ()))

    def _choose(self, asked: Any, index: int) -> None:
        if self.mouse:
            asked.buttons[index].click()
            return
        for _ in range(4):
            if asked.buttons[0].text.startswith("1 "):
                break
            self.press("Q")
        self.press(str(index + 1))

    def _slide(self, asked: Any) -> float:
        """From the middle, or from the answer before, by the arrows."""
        if self.mouse:
            value = self._random.randrange(101)
            asked.slider.setValue(value)
            if asked.value is None:  # it was there already: let it go there
                asked.slider.sliderReleased.emit()
            return float(value)
        begin = 50.0 if asked.value is None else asked.value
        steps = self._random.randint(1, 8)
        self.press("Right", steps)
        return float(min(100.0, begin + 5.0 * steps))

    def _mark(self, question: Any) -> list[dict[str, Any]]:
        """Up to two marks by clicks into the first view, in different slices."""
        made = []
        for _ in range(self._random.randint(0, 2)):
            self.press("Up", self._random.randint(0, 2))
            x, y = self._random.uniform(0.4, 0.6), self._random.uniform(0.4, 0.6)
            self.window.click_view(view_name(1), x, y)
            place = [row for row in self.room._marks.rows() if row.key == self.room.trial.marks.chosen][0].place_ras_mm
            category = self._random.randrange(len(question.categories))
            steps = self._random.randint(1, 8)
            self.press(str(category + 1))
            self.press("Left", steps)
            made.append(
                {
                    "position_lps_mm": [-place[0], -place[1], place[2]],
                    "confidence": 50.0 - 5.0 * steps,
                    "category": question.categories[category],
                    "size_mm": None,
                }
            )
        return made
