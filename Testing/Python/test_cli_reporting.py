"""What a terminal shows of a job while it runs."""

from __future__ import annotations

import io

from rich.console import Console

from MedUSISLib.cli.reporting import TerminalReport
from MedUSISLib.jobs.events import Event, Stage, Step


def shown(*events: tuple[float, Event]) -> str:
    """All that a terminal was sent; each event comes at its second."""
    now = [0.0]
    sent = io.StringIO()
    console = Console(file=sent, force_terminal=True, width=100, get_time=lambda: now[0], _environ={"TERM": "xterm"})
    with TerminalReport(console) as report:
        for second, event in events:
            now[0] = second
            report.show(event)
    return sent.getvalue()


def test_the_time_left_is_shown_when_steps_take_minutes() -> None:
    begun = (0.0, Stage("synthesizing")), (0.1, Step(0, 300))
    assert "-:--:--" in shown(*begun)
    # Nothing more for four minutes: the time goes on, and what was said is still there.
    last = shown(*begun, (240.0, Step(1, 300, 1 / 240, 240.0 * 299)), (480.0, Step(1, 300, 1 / 240, 240.0 * 298)))
    assert "1/300" in last and "19:52:00" in last


def test_a_stage_does_not_begin_with_the_count_of_the_last_one() -> None:
    last = shown((0.0, Stage("synthesizing")), (9.0, Step(5, 5, 0.5, 0.0)), (10.0, Stage("writing the summary")))
    assert "0/?" in last and "0/5" not in last
