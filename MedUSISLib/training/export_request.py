"""What a user asks for when a training that is not finished is to become a generator; light, nothing is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class ExportRequest(BaseModel):
    """Export a state of a training; the training's own folder is only read.

    Attributes
    ----------
    training : Path
        Its ``out`` folder.
    state : {"best", "last"}
        Which checkpoint.
    out : Path
        A file that ends in ".zip", or the folder that the bundle is to become.
    device : str
        Where the generator is measured; the training's own choice by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    training: Path
    state: Literal["best", "last"] = "best"
    out: Path
    overwrite: bool = False
    device: str | None = None
