"""Many inputs of each kind in child processes: one that dies, hangs or eats the memory is a fault, and not the end."""

from __future__ import annotations

import argparse
import json
import os
import selectors
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from faults.kinds import KINDS
from faults.verdict import WALL_LIMIT_S, Verdict, judge, require_sound

MEMORY_BYTES = 3 * 1024**3
"""What a child may allocate beyond what its libraries take."""
_OUTCOMES = ("refused", "accepted", "failure")
_TORCH_BYTES = 12 * 1024**3
_SILENCE_S = 3 * WALL_LIMIT_S


def try_kind(name: str, numbers: range, sound: Path, work: Path) -> None:
    """The child's side: one line before and one after each input."""
    _limit_memory()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    if "MEDUSIS_FAULTS_LOUD" not in os.environ:
        os.dup2(quiet, 2)
    for number in numbers:
        print(json.dumps({"number": number}), file=events, flush=True)
        print(json.dumps(asdict(judge(KINDS[name], number, sound, work))), file=events, flush=True)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) if sys.platform == "linux" else 0
    limit = pages * resource.getpagesize() + MEMORY_BYTES + (_TORCH_BYTES if "torch" in sys.modules else 0)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def verdicts_of(name: str, count: int, first: int = 0) -> list[Verdict]:
    """Try so many inputs of a kind; a child that ends is started again behind the input that ended it."""
    found: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="medusis-faults-") as folder:
        sound = Path(folder) / "sound"
        sound.mkdir()
        KINDS[name].make(sound)
        require_sound(KINDS[name], sound, Path(folder) / "work")
        number = first
        while number < first + count:
            done, last = _one_child(name, range(number, first + count), sound, Path(folder) / "work")
            found += done
            if last is None:
                break
            number, how = last
            found.append(Verdict(name, number, "", "failure", "", how))
            number += 1
    return found


def _one_child(name: str, numbers: range, sound: Path, work: Path) -> tuple[list[Verdict], tuple[int, str] | None]:
    """What it found, and which input it died of and how."""
    what = (name, str(numbers.start), str(numbers.stop), str(sound), str(work))
    command = [sys.executable, "-m", "faults", "--child", *what]
    found: list[Verdict] = []
    at = numbers.start
    # a name with line breaks may end the child's line early: bytes are put together here
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        waiting = selectors.DefaultSelector()
        waiting.register(child.stdout, selectors.EVENT_READ)
        rest = b""
        while True:
            if not waiting.select(_SILENCE_S):
                child.kill()
                return found, (at, f"silent for {_SILENCE_S} s")
            piece = os.read(child.stdout.fileno(), 1 << 16)
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if "kind" in event:
                    found.append(Verdict(**event))
                else:
                    at = event["number"]
        code = child.wait()
    return found, None if code == 0 else (at, f"the process ended with {code}")


def table(found: dict[str, list[Verdict]]) -> str:
    """Kinds with inputs tried, refused by code, accepted and verified, failures."""
    lines = [_row("kind of input", "tried", "refused", "accepted", "failures") + "  refused as"]
    totals: Counter[str] = Counter()
    for name, verdicts in found.items():
        outcomes = Counter(verdict.outcome for verdict in verdicts)
        codes = Counter(verdict.code for verdict in verdicts if verdict.outcome == "refused")
        said = ", ".join(f"{code} {number}" for code, number in codes.most_common())
        totals += Counter({"tried": len(verdicts), **outcomes})
        lines.append(_row(name, len(verdicts), *(outcomes[key] for key in _OUTCOMES)) + f"  {said}")
    return "\n".join([*lines, _row("all", totals["tried"], *(totals[key] for key in _OUTCOMES))])


def _row(name: str, *numbers: object) -> str:
    return f"{name:<22}" + "".join(f"{number:>10}" for number in numbers)


def main(arguments: list[str]) -> int:
    """``python -m faults [KIND ...] [--inputs N] [--first N]``; 1 when there is a failure."""
    if arguments[:1] == ["--child"]:
        name, start, stop, sound, work = arguments[1:]
        try_kind(name, range(int(start), int(stop)), Path(sound), Path(work))
        return 0
    parser = argparse.ArgumentParser(prog="python -m faults", description="Try spoiled inputs of every kind.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all when none is given")
    parser.add_argument("--inputs", type=int, default=int(os.environ.get("MEDUSIS_FAULTS") or 300), help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    options = parser.parse_args(arguments)
    found: dict[str, list[Verdict]] = {}
    for name in options.kinds or KINDS:
        found[name] = verdicts_of(name, options.inputs, options.first)
        for verdict in found[name]:
            if verdict.outcome == "failure":
                print(f"FAILURE {name} {verdict.number} ({verdict.done}): {verdict.detail}", flush=True)
    print(table(found))
    return int(any(verdict.outcome == "failure" for verdicts in found.values() for verdict in verdicts))
