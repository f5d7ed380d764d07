"""Every stage that the engine can name has words for people, and the time that is left is told with sense."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from MedUSISLib.mrml.settings import SynthesisSettings
from MedUSISLib.mrml.stage_titles import stage_title
from MedUSISLib.mrml.time_left import SEGMENTATION_WEIGHTS, TimeLeft, synthesis_weights

PACKAGE = Path(__file__).resolve().parents[2] / "MedUSISLib"


def stages_of(*parts: str) -> set[str]:
    """Names given to ``stage(...)`` anywhere in these packages."""
    found = set()
    for part in parts:
        for path in (PACKAGE / part).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "stage":
                    found |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return found


def test_every_stage_of_a_synthesis_has_a_title_and_a_weight() -> None:
    stages = stages_of("synthesis")
    assert {"reading", "synthesizing", "writing"} <= stages
    weights = synthesis_weights(SynthesisSettings())
    for name in stages:
        assert stage_title(name) != name.capitalize(), name
        assert name in weights


def test_every_stage_of_a_segmentation_has_a_title_and_a_weight() -> None:
    for name in stages_of("segmentation"):
        assert stage_title(name, "segment")[0].isupper() and name in SEGMENTATION_WEIGHTS, name


@pytest.mark.parametrize("kind", ["synthesize", "segment", "devices", "install-generator"])
def test_titles_are_short_and_begin_with_a_capital(kind: str) -> None:
    for name in stages_of("synthesis", "segmentation", "generators"):
        title = stage_title(name, kind)
        assert title[0].isupper() and len(title) < 60 and not title.endswith(".")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_left_of_a_steady_run_is_what_it_takes() -> None:
    clock = Clock()
    settings = SynthesisSettings(passes=8)
    weights = synthesis_weights(settings)
    left = TimeLeft(weights, clock)
    total = sum(weights.values())
    for name, seconds in weights.items():
        left.stage(name)
        for done in range(1, 11):
            clock.now += seconds / 10
            _, told = left.step(done, 10, (10 - done) * seconds / 10)
            if told is not None:
                assert told == pytest.approx(total - clock.now, rel=0.05, abs=0.5)
    assert left.fraction == pytest.approx(1.0)


def test_nothing_is_told_in_the_first_seconds() -> None:
    clock = Clock()
    left = TimeLeft(synthesis_weights(SynthesisSettings()), clock)
    left.stage("reading")
    clock.now = 1.0
    assert left.step(1, 2, 1.0)[1] is None


def test_a_slow_network_makes_the_rest_longer_and_never_turns_the_bar_back() -> None:
    clock = Clock()
    left = TimeLeft(synthesis_weights(SynthesisSettings(passes=1)), clock)
    left.stage("synthesizing")
    fractions = []
    for done in (1, 2, 2, 1, 3):
        clock.now += 100.0
        fraction, told = left.step(done, 4, (4 - done) * 100.0)
        fractions.append(fraction)
        assert told is not None and told > (4 - done) * 100.0
    assert fractions == sorted(fractions)


def test_steps_of_an_unknown_stage_and_of_no_length_do_no_harm() -> None:
    left = TimeLeft({}, Clock())
    left.stage("a stage of a newer version")
    assert left.step(3, 0, None) == (0.0, None)
