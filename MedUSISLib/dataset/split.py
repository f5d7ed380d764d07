"""Training, validation and test people: by a hash, stored, and never moved by people who come later."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
FEWEST_FOR_TEST = 5
"""With fewer people in a group nobody is set aside for a test: of three, two to learn from are worth more."""


def rank(seed: int, person: str) -> str:
    """A person's place in the drawing of lots: depends on nothing but the seed and the pseudonym."""
    return blake2b(f"{seed}\0{person}".encode(), digest_size=12).hexdigest()


def split_people(
    groups: Mapping[str, str], shares: Mapping[Split, float], seed: int, fixed: Mapping[str, Split] | None = None
) -> dict[str, Split]:
    """Give every person a split.

    Parameters
    ----------
    groups : mapping from person to group
        What a person has ("ct", "mr", "ct+mr", "labels"): each group is split by itself, so that validation has both
        CTs and MRs.
    shares : mapping
        Wanted share of each split.
    seed : int
    fixed : mapping, optional
        People whose split is decided; it stays.

    Returns
    -------
    dict
        People in the order of the lots take the split that is furthest below its share. A group of two goes into
        training and validation, a single person into training; the test takes nobody of fewer than five, unless
        its share is a whole person.

    Examples
    --------
    >>> people = {f"p{n}": "ct" for n in range(10)}
    >>> shares = {"train": 0.7, "validation": 0.15, "test": 0.15}
    >>> first = split_people(people, shares, seed=0)
    >>> [list(first.values()).count(split) for split in SPLITS]
    [7, 2, 1]
    >>> later = split_people({**people, "p10": "ct"}, shares, seed=0, fixed=first)
    >>> all(later[person] == split for person, split in first.items())
    True
    """
    result: dict[str, Split] = {person: split for person, split in (fixed or {}).items() if person in groups}
    for group in sorted(set(groups.values())):
        members = sorted((p for p, g in groups.items() if g == group), key=lambda p: rank(seed, p))
        counts = {split: sum(result.get(p) == split for p in members) for split in SPLITS}
        wanted = _quota(len(members), shares)
        for person in members:
            if person in result:
                continue
            # Ties go to the earlier split: a single person is for training.
            chosen = max(SPLITS, key=lambda split: (wanted[split] - counts[split], -SPLITS.index(split)))
            result[person] = chosen
            counts[chosen] += 1
    return result


def _quota(number: int, shares: Mapping[Split, float]) -> dict[Split, int]:
    """Whole people for each split: at least one for each that is wanted, as far as there are enough."""
    wanted = [split for split in SPLITS if shares[split] > 0]
    quota = {split: int(shares[split] * number) for split in SPLITS}
    for split in wanted[: number if number >= FEWEST_FOR_TEST else min(number, 2)]:
        quota[split] = max(quota[split], 1)
    while sum(quota.values()) > number:
        quota[max(SPLITS, key=lambda split: quota[split])] -= 1
    while sum(quota.values()) < number:
        short = max(wanted, key=lambda split: (shares[split] * number - quota[split], -SPLITS.index(split)))
        quota[short] += 1
    return quota
