"""Between two iterations: does the user want a pause, or the end? A checkpoint comes first."""

from __future__ import annotations

from collections.abc import Callable

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress, Wish
from MedUSISLib.training.agreement import Agreement


def told_to_finish(progress: Progress, agreement: Agreement, iteration: int, save: Callable[[], object]) -> bool:
    """Whether the training is to end here and be exported; to be asked at the top of every iteration.

    All processes of a training hear the first one's answer, so that they end in the same iteration.

    Parameters
    ----------
    progress : Progress
    agreement : Agreement
    iteration : int
        How many are done.
    save : callable
        Writes the checkpoint that a resumed training goes on from.

    Raises
    ------
    MedUSISError
        CANCELLED for a wish to pause or stop, when the checkpoint is written; and for one to finish when there is
        nothing to export.
    """
    wish = agreement.from_lead(progress.wish)
    if wish is None:
        return False
    if wish is Wish.END:
        raise MedUSISError(ErrorCode.CANCELLED, f"ended at iteration {iteration}, without a checkpoint")
    if wish is Wish.FINISH and iteration == 0:
        raise MedUSISError(ErrorCode.CANCELLED, "ended: nothing had been trained yet that could be exported")
    save()
    agreement.meet()  # the others must not end, and end the first one with them, while it writes
    progress.metric("checkpoint", iteration, iteration=iteration)
    if wish is Wish.FINISH:
        return True
    what = "paused" if wish is Wish.PAUSE else "stopped"
    raise MedUSISError(
        ErrorCode.CANCELLED,
        f"{what} at iteration {iteration}: a checkpoint is saved",
        "resume goes on from there (medusis train --resume)",
    )
