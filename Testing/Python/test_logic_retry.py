"""What the window offers when the memory did not suffice."""

from __future__ import annotations

import pytest

from MedUSISLib.jobs.events import Failure
from MedUSISLib.mrml.retry import suggestions
from MedUSISLib.mrml.settings import SynthesisSettings

OUT_OF_MEMORY = Failure("OUT_OF_MEMORY", "the memory does not suffice")


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        (SynthesisSettings(), [{"batch_size": 1}, {"mode": "window"}]),
        (SynthesisSettings(device="cuda:1"), [{"batch_size": 4}, {"device": "cpu"}, {"mode": "window"}]),
        (
            SynthesisSettings(device="cuda", batch_size=8, mode="three-view", noise_samples=4),
            [{"batch_size": 4}, {"device": "cpu", "batch_size": None}, {"mode": "slice"}, {"noise_samples": 0}],
        ),
        (SynthesisSettings(device="cpu", batch_size=1, mode="window"), []),
    ],
)
def test_suggestions_change_one_thing_each(settings: SynthesisSettings, changes: list[dict[str, object]]) -> None:
    offered = [vars(gentler) for _, gentler in suggestions(OUT_OF_MEMORY, settings)]
    assert offered == [{**vars(settings), **change} for change in changes]


def test_every_suggestion_is_new_and_says_what_it_does() -> None:
    settings = SynthesisSettings(device="cuda", mode="three-view", noise_samples=2)
    texts = [text for text, _ in suggestions(OUT_OF_MEMORY, settings)]
    assert len(set(texts)) == len(texts) == 4
    assert all(text.startswith("Try again ") for text in texts)
    assert settings not in [gentler for _, gentler in suggestions(OUT_OF_MEMORY, settings)]


def test_following_the_suggestions_comes_to_an_end() -> None:
    settings, steps = SynthesisSettings(device="cuda", batch_size=64, mode="three-view", noise_samples=3), 0
    while offered := suggestions(OUT_OF_MEMORY, settings):
        settings, steps = offered[0][1], steps + 1
        assert steps < 30


def test_other_failures_offer_nothing() -> None:
    assert suggestions(Failure("NOT_A_CT", "no air"), SynthesisSettings()) == []
