"""``training.json``: the configuration of a training in its own folder, so that it can be exported at any time."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.training.configuration import GeneratorTraining

KEPT_CONFIGURATION = "training.json"


def keep_configuration(configuration: GeneratorTraining) -> None:
    """Write it into ``out``, whole or not at all.

    It names the files of the data, so it stays where the training is and this user alone can read it.
    """
    content = configuration.model_dump(mode="json")
    if configuration.data.dataset is not None:  # who and what is read from there again
        for name in ("images", "label_maps"):
            content["data"].pop(name)
    temporary = configuration.out / f"{KEPT_CONFIGURATION}.tmp"
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(configuration.out / KEPT_CONFIGURATION)


def kept_configuration(out: Path) -> GeneratorTraining:
    """The configuration of the training in a folder, which may have been moved.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when there is none, or it is damaged.
    """
    path = out / KEPT_CONFIGURATION
    try:
        configuration = GeneratorTraining.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"the folder holds no training of a generator that can be exported ({type(error).__name__})",
            "give the `out` folder of a training that has begun",
            path,
        ) from None
    return configuration.model_copy(update={"out": out})
