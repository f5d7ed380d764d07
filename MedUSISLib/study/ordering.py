"""Who sees what when: sessions, counterbalance, balanced blocks, gaps between trials of the same case, repeats.

The order of a reader follows from the seed, a secret in the key, and the reader's number, so it can be made again by
whoever has the key and by nobody else.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from MedUSISLib.study.protocol import Protocol

# Orders are drawn and repaired until one keeps all rules. 40 trials with a gap of 6 need one draw and some 20 swaps;
# where the rules cannot be kept (2 cases, gap 50) all of it takes a tenth of a second.
_DRAWS = 5
_SWAPS = 500


@dataclass(frozen=True)
class Item:
    """A case that can be read in some arms.

    Attributes
    ----------
    case : str
    arms : tuple of int
        Numbers of the protocol's arms for which the case has all images.
    stratum, status
        What blocks are balanced by.
    """

    case: str
    arms: tuple[int, ...]
    stratum: str = ""
    status: bool | None = None
    training: bool = False


@dataclass(frozen=True)
class Planned:
    """One trial in a reader's order; ``arms`` has several in sequential reading and forced choice."""

    case: str
    arms: tuple[int, ...]
    session: int
    training: bool = False
    repeats: int | None = None
    flipped: bool = False


def generator(seed: int, secret: str, *purpose: object) -> np.random.Generator:
    """Random numbers for one purpose, independent of all others."""
    text = "/".join(str(part) for part in (seed, secret, *purpose))
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


def reader_order(items: Sequence[Item], protocol: Protocol, reader: int, secret: str) -> list[Planned]:
    """All trials of a reader, in order.

    Parameters
    ----------
    items : sequence of Item
    protocol : Protocol
    reader : int
        Number of the reader, from 0; decides where he begins.
    secret : str
        From the key.

    Returns
    -------
    list of Planned
        Training first, then session by session; ``repeats`` is the index in this list of the trial that is repeated.
    """
    plan = protocol.randomisation
    cells = {item.case: (item.stratum, item.status) for item in items}
    random = generator(plan.seed, secret, "order", reader)
    trials = [
        trial
        for item, group in zip(items, _groups(items, protocol, secret), strict=True)
        for trial in _trials_of(item, group, protocol, reader)
    ]
    training = [t for t in trials if t.training]
    order = [replace(training[n], session=1) for n in random.permutation(len(training))]
    repeated = _chosen_repeats([t for t in trials if not t.training], cells, protocol, secret)
    for session in range(1, plan.sessions + 1):
        mine = [t for t in trials if not t.training and t.session == session]
        wanted = [t for t in repeated if t.session == session]
        order += _session_order(mine, wanted, cells, protocol, random, first=len(order))
    if protocol.design == "forced-choice":
        order = _with_sides(order, random)
    return order


def _groups(items: Sequence[Item], protocol: Protocol, secret: str) -> list[int]:
    """Every case's row in the Latin square: balanced in each stratum and status, the same for all readers."""
    random = generator(protocol.randomisation.seed, secret, "groups")
    by_cell: dict[tuple, list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        by_cell[(item.stratum, item.status, item.arms)].append(number)
    groups = [0] * len(items)
    start = 0
    for cell in sorted(by_cell, key=repr):
        for place, number in enumerate(random.permutation(by_cell[cell])):
            groups[int(number)] = start + place
        # The next cell goes on where this one ended: odd cells must not all favour the first arm.
        start += len(by_cell[cell])
    return groups


def _trials_of(item: Item, group: int, protocol: Protocol, reader: int) -> list[Planned]:
    plan = protocol.randomisation
    turn = reader if plan.counterbalance else 0
    if protocol.design in ("sequential", "forced-choice"):
        return [Planned(item.case, item.arms, 1 + (group + turn) % plan.sessions, item.training)]
    if plan.one_arm_per_case and len(item.arms) > 1 and not item.training:
        arm = item.arms[(group + turn) % len(item.arms)]
        return [Planned(item.case, (arm,), 1 + (group // len(item.arms)) % plan.sessions)]
    if protocol.design == "crossover":
        return [Planned(item.case, (arm,), 1 + (arm + turn) % plan.sessions, item.training) for arm in item.arms]
    return [
        Planned(item.case, (arm,), 1 + (place + group + turn) % plan.sessions, item.training)
        for place, arm in enumerate(item.arms)
    ]


def _chosen_repeats(trials: Sequence[Planned], cells: dict, protocol: Protocol, secret: str) -> list[Planned]:
    """Trials to be shown twice, spread over arms, strata and status."""
    wanted = min(protocol.randomisation.repeats, len(trials))
    if not wanted:
        return []
    random = generator(protocol.randomisation.seed, secret, "repeats")
    spread = _interleaved(list(trials), lambda t: (t.arms, cells[t.case]), random)
    step = len(spread) / wanted
    return [spread[int(n * step)] for n in range(wanted)]


def _session_order(
    trials: list[Planned],
    repeated: list[Planned],
    cells: dict,
    protocol: Protocol,
    random: np.random.Generator,
    first: int,
) -> list[Planned]:
    """The first of several balanced and repaired orders that keeps gaps and runs, else the one that fails least."""
    plan = protocol.randomisation
    best: list[Planned] = []
    fewest = None
    for _ in range(_DRAWS if len(trials) > 1 else 1):
        order = _interleaved(trials, lambda t: (t.arms, cells[t.case]), random)
        order = _with_repeats(_blocks(order, plan.block_size, random), repeated, plan.gap, random)
        failures = _repair(order, plan.gap, plan.longest_run, plan.block_size or max(2, len(order) // 4), random)
        if fewest is None or failures < fewest:
            best, fewest = order, failures
        if not fewest:
            break
    return _marked_repeats(best, first)


def _interleaved(trials: Sequence[Planned], cell_of, random: np.random.Generator) -> list[Planned]:
    """Shuffled so that every stretch holds the cells in nearly the proportions of the whole.

    Within a cell of n trials the m-th lies at a random place of the m-th n-th part of the session.
    """
    by_cell: dict[object, list[Planned]] = defaultdict(list)
    for trial in trials:
        by_cell[cell_of(trial)].append(trial)
    placed = []
    for cell in sorted(by_cell, key=repr):
        members = by_cell[cell]
        for place, number in enumerate(random.permutation(len(members))):
            placed.append(((place + random.random()) / len(members), members[int(number)]))
    return [trial for _, trial in sorted(placed, key=lambda pair: pair[0])]


def _blocks(order: list[Planned], size: int | None, random: np.random.Generator) -> list[Planned]:
    """Shuffled within blocks, so that the balance of a block does not tell its last trial's place."""
    if size is None:
        return order
    result: list[Planned] = []
    for start in range(0, len(order), size):
        block = order[start : start + size]
        result += [block[int(n)] for n in random.permutation(len(block))]
    return result


def _with_repeats(
    order: list[Planned], repeated: list[Planned], gap: int, random: np.random.Generator
) -> list[Planned]:
    """The repeats put in at random, no nearer than ``gap`` behind their first showing where there is room."""
    result: list[Planned] = list(order)
    for trial in repeated:
        earliest = min(result.index(trial) + 1 + gap, len(result))
        result.insert(int(random.integers(earliest, len(result) + 1)), trial)
    return result


def _marked_repeats(order: Sequence[Planned], first: int) -> list[Planned]:
    """What is there twice is a repeat the second time; indices count from the reader's first trial."""
    shown: dict[Planned, int] = {}
    result = []
    for place, trial in enumerate(order, start=first):
        result.append(replace(trial, repeats=shown[trial]) if trial in shown else trial)
        shown.setdefault(trial, place)
    return result


def _repair(order: list[Planned], gap: int, longest_run: int, reach: int, random: np.random.Generator) -> int:
    """Swap neighbours no further than ``reach`` apart while that leaves fewer breaches; how many are left.

    The reach keeps what balances the blocks nearly where it was.
    """
    breaches = _breaches(order, gap, longest_run)
    for _ in range(_SWAPS):
        if not breaches:
            break
        one = breaches[int(random.integers(len(breaches)))]
        other = int(np.clip(one + random.integers(-reach, reach + 1), 0, len(order) - 1))
        order[one], order[other] = order[other], order[one]
        after = _breaches(order, gap, longest_run)
        if len(after) > len(breaches):
            order[one], order[other] = order[other], order[one]
        else:
            breaches = after
    return len(breaches)


def _breaches(order: Sequence[Planned], gap: int, longest_run: int) -> list[int]:
    """Places of trials too near to one of the same case, or too late in a run of one arm."""
    last: dict[str, int] = {}
    found = []
    run = 0
    one_arm = len({t.arms for t in order}) == 1
    for place, trial in enumerate(order):
        near = trial.case in last and place - last[trial.case] <= gap
        last[trial.case] = place
        run = run + 1 if place and order[place - 1].arms == trial.arms else 1
        # A single arm in a session (a crossover, a forced choice) is one long run by design.
        if near or (run > longest_run and not one_arm):
            found.append(place)
    return found


def _with_sides(order: list[Planned], random: np.random.Generator) -> list[Planned]:
    """The real one left in half of the trials, in random order; a repeat keeps its side, being the same trial."""
    originals = [n for n, t in enumerate(order) if t.repeats is None]
    half = len(originals) // 2 + (int(random.integers(2)) if len(originals) % 2 else 0)
    flipped = set(random.permutation(originals)[:half].tolist())
    return [replace(t, flipped=(n if t.repeats is None else t.repeats) in flipped) for n, t in enumerate(order)]
