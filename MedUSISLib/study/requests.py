"""What the jobs of a study are told; light, nothing heavy is loaded."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

USUAL_PROTOCOLS = ("visual-turing", "forced-choice", "lesion-reading", "lesion-sequential", "lesion-crossover")
"""Protocols that need no file."""


class NewStudyRequest(BaseModel):
    """A table of cases to blinded trials and their key.

    Attributes
    ----------
    table : Path
        CSV of cases.
    protocol : str
        One of ``USUAL_PROTOCOLS``, or the path of a ``protocol.json``.
    out : Path
        The study's folder.
    study_id, readers, seed, repeats
        Of a usual protocol; a file says them itself.
    accept : tuple of str
        Codes of leaks that are accepted for ``reason``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    table: Path
    protocol: str = Field(min_length=1)
    out: Path
    study_id: str = "study"
    readers: tuple[str, ...] = ("R1",)
    seed: int = Field(default=0, ge=0)
    repeats: int = Field(default=0, ge=0)
    accept: tuple[str, ...] = ()
    reason: str = ""
    overwrite: bool = Field(default=False, description="write although files are there that MedUSIS did not write")

    @model_validator(mode="after")
    def _with_reason(self) -> NewStudyRequest:
        if self.accept and not self.reason.strip():
            raise ValueError("a leak is accepted with a reason only")
        return self


class AnalyseStudyRequest(BaseModel):
    """A study's answers to results and a report.

    Attributes
    ----------
    study : Path
        The study's folder, with key and truth.
    answers : tuple of str
        Files or URLs; the study's own merged answers when empty.
    out : Path
        Folder for ``results.json``, ``report.html`` and ``figures``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    study: Path
    answers: tuple[str, ...] = ()
    out: Path
    overwrite: bool = Field(default=False, description="write although files are there that MedUSIS did not write")


class CheckStudyRequest(BaseModel):
    """Look for leaks in a study's folder."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    study: Path


class PackageStudyRequest(BaseModel):
    """Packages for readers.

    Attributes
    ----------
    study : Path
        The study's folder.
    folder : Path
        Where the packages go, one file for each reader.
    readers : tuple of str
        All of the protocol's when empty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    study: Path
    folder: Path
    readers: tuple[str, ...] = ()
