"""What ``medusis dataset scan`` is told; light, nothing heavy is loaded."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SplitShares(BaseModel):
    """Shares of the people that are for training, for validation and for the final test; they sum to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    train: float = Field(default=0.7, ge=0, le=1)
    validation: float = Field(default=0.15, ge=0, le=1)
    test: float = Field(default=0.15, ge=0, le=1)

    @model_validator(mode="after")
    def _whole(self) -> SplitShares:
        if abs(self.train + self.validation + self.test - 1) > 1e-6:
            raise ValueError("the shares of train, validation and test must sum to 1")
        return self


class ScanRequest(BaseModel):
    """Folders to read and where to write what was found.

    Attributes
    ----------
    folders : tuple of Path
        Searched with everything below; symbolic links to folders are not followed.
    out : Path
        Folder for ``dataset.json`` and ``dataset.html``. When it holds a ``dataset.json`` already, edits by hand are
        kept.
    label_schema : str
        Id of the schema that label maps are checked against.
    labels : str, optional
        Mapping of all label maps; guessed for each from its values when absent.
    seed, split
        Of the split by person. ``None`` keeps those of an earlier scan (0 and 70/15/15 % the first time).
    jobs : int, optional
        Processes that read; 1 reads in this one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    folders: tuple[Path, ...] = Field(min_length=1)
    out: Path
    label_schema: str = "head"
    labels: str | None = None
    seed: int | None = Field(default=None, ge=0)
    split: SplitShares | None = None
    jobs: int | None = Field(default=None, ge=1, le=128)
    overwrite: bool = Field(default=False, description="write although files are there that MedUSIS did not write")
