"""What speed must be reached and what is: one table, in about three minutes on two idle cores.

    OMP_WAIT_POLICY=PASSIVE .venv/bin/python Testing/Benchmarks/speed/table.py [--rounds 5] [--slices 40] [--threads 2]

Ratios are medians over rounds in which both sides ran in turn; lowest and highest in brackets. Ends with 1 when a
figure is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))

import torch  # noqa: E402
from command_rows import command_figures  # noqa: E402
from network_rows import network_figures, ratio  # noqa: E402


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    must: str
    measured: str
    reached: bool


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slices", type=int, default=40)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = [*network_rows(arguments.rounds, note), *command_rows(arguments.slices, arguments.rounds, note)]
    print("| figure | must | measured | reached |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.must} | {row.measured} | {'yes' if row.reached else 'no'} |")
    print(f"\ntorch {torch.__version__}, {arguments.threads} threads, load {os.getloadavg()[0]:.1f} at the end")
    return int(not all(row.reached for row in rows))


def note(text: str) -> None:
    """Progress goes to stderr, the table alone to stdout."""
    print(text, file=sys.stderr, flush=True)


def network_rows(rounds: int, say: Callable[[str], None]) -> list[Row]:
    """Passes and convolutions."""
    figures = network_figures(rounds, say)
    one, further = ratio(figures.naive, figures.one_pass), ratio(figures.naive, figures.further_pass)
    share = ratio(figures.convolutions, figures.gemm)
    seconds = [1000 * median(values) for values in (figures.naive, figures.one_pass, figures.further_pass)]
    rates = [median(values) / 1e9 for values in (figures.convolutions, figures.gemm)]
    return [
        Row(
            "one pass against the naive network",
            ">= 5 x",
            f"{_of(one)} x ({seconds[0]:.0f} ms a slice against {seconds[1]:.0f})",
            one[0] >= 5,
        ),
        Row(
            "each further dropout pass against it",
            ">= 14 x",
            f"{_of(further)} x ({seconds[2]:.1f} ms a slice)",
            further[0] >= 14,
        ),
        Row(
            "convolutions against a matrix product of 1024 in bfloat16",
            ">= 50 %",
            f"{100 * share[0]:.0f} % ({rates[0]:.0f} of {rates[1]:.0f} GFLOP/s)",
            share[0] >= 0.5,
        ),
        Row(
            "prepared against plain network, float32",
            "<= 1e-5",
            f"{figures.float32_difference:.1e}",
            figures.float32_difference <= 1e-5,
        ),
        Row(
            "the same in bfloat16, in all pixels (99.9 %)",
            "<= 1e-2",
            f"{figures.bfloat16_difference:.1e} ({figures.bfloat16_999:.1e})",
            figures.bfloat16_difference <= 1e-2,
        ),
    ]


def command_rows(slices: int, rounds: int, say: Callable[[str], None]) -> list[Row]:
    """The whole command, in fewer rounds."""
    figures = command_figures(slices, max(1, rounds // 2), say)
    twenty, files = ratio(figures.twenty_passes, figures.one_pass), ratio(figures.files, figures.synthesizing)
    processor = ratio(figures.processor[20], figures.processor[1])[0]
    stages = ", ".join(f"{name} {value:.2f}" for name, value in figures.timings.items())
    return [
        Row(
            f"20 passes against 1, whole command without loading, {slices} slices",
            "<= 3.5 x",
            f"{_of(twenty)} x ({median(figures.twenty_passes):.1f} s against {median(figures.one_pass):.1f}; "
            f"{processor:.1f} x of processor time)",
            twenty[0] <= 3.5,
        ),
        Row(
            "reading, conforming, restoring and writing against the network of one pass",
            "<= 15 %",
            f"{100 * files[0]:.0f} % (seconds: {stages})",
            files[0] <= 0.15,
        ),
    ]


def _of(values: tuple[float, float, float]) -> str:
    return f"{values[0]:.1f} ({values[1]:.1f} to {values[2]:.1f})"


if __name__ == "__main__":
    sys.exit(main())
