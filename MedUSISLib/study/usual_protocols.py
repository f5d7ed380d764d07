"""The usual protocols by name, from what someone typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.protocol import Protocol, Randomisation, lesion_reading, load_protocol, visual_turing
from MedUSISLib.study.requests import USUAL_PROTOCOLS
from MedUSISLib.study.versioned import first_reason


def protocol_of(name: str, study_id: str, readers: Sequence[str], seed: int, repeats: int) -> Protocol:
    """A usual protocol, or the one in a file; the other arguments are for usual ones only.

    Raises
    ------
    MedUSISError
        As ``usual_protocol`` and ``load_protocol``.
    """
    if name in USUAL_PROTOCOLS:
        return usual_protocol(name, study_id, readers, seed, repeats)
    return load_protocol(Path(name))


def usual_protocol(kind: str, study_id: str, readers: Sequence[str], seed: int, repeats: int) -> Protocol:
    """One of the usual protocols.

    Raises
    ------
    MedUSISError
        BAD_SETTING with the first rule that is broken.

    Examples
    --------
    >>> usual_protocol("lesion-sequential", "ms", ("R1",), seed=1, repeats=0).design
    'sequential'
    """
    names = tuple(name.strip() for name in readers if name.strip())
    try:
        if kind in ("visual-turing", "forced-choice"):
            plan = Randomisation(seed=seed, repeats=repeats)
            return visual_turing(study_id, names, kind == "forced-choice", plan)
        design = {"lesion-sequential": "sequential", "lesion-crossover": "crossover"}.get(kind, "crossed")
        crossover = {"sessions": 2, "washout_days": 28.0} if design == "crossover" else {}
        plan = Randomisation.model_validate({"seed": seed, "repeats": repeats, **crossover})
        return lesion_reading(study_id, names, design, randomisation=plan)  # type: ignore[arg-type]
    except ValidationError as error:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, f"the study cannot be planned like this ({first_reason(error)})", "see --help"
        ) from None
