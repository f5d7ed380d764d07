"""Which worker gets a case: the one that has the fewest, and none that has a case which must be alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet

from MedUSISLib.batch.pipeline import IN_HAND
from MedUSISLib.batch.pool import CaseTask


def free_place(
    task: CaseTask, waiting: Iterable[CaseTask], in_hand: Sequence[Collection[int] | None], alone: AbstractSet[int]
) -> int | None:
    """Index of the worker for a case, None when it has to wait.

    While a case waits that must be alone, the emptiest worker is kept free for it.

    Parameters
    ----------
    task : CaseTask
    waiting : iterable of CaseTask
        All that are not given out yet.
    in_hand : sequence
        Numbers of the cases that each worker has; None: it takes none now.
    alone : set of int
        Cases in hand that must be alone.

    Examples
    --------
    >>> task = CaseTask(number=3, ct="ct.nii", segmentation="seg.nii", out="out")
    >>> free_place(task, [task], [{1}, set()], set())
    1
    >>> free_place(task.model_copy(update={"alone": True}), [task], [{1}, {2}], set()) is None
    True
    """
    loads = {index: len(cases) for index, cases in enumerate(in_hand) if cases is not None and alone.isdisjoint(cases)}
    by_load = sorted(loads, key=loads.__getitem__)
    if not by_load:
        return None
    if task.alone:
        return by_load[0] if loads[by_load[0]] == 0 else None
    if any(other.alone for other in waiting):
        by_load = by_load[1:]
    return by_load[0] if by_load and loads[by_load[0]] < IN_HAND else None
