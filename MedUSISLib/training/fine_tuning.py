"""How a training starts from a finished generator: what is asked for, and what was found (light, no torch)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.manifest import TrainingData
from MedUSISLib.training.configuration_file import absolute_path

START_FILE = "start.json"

Frozen = Literal["none", "early_blocks", "all_but_spade_and_last_blocks"]


class StartSettings(BaseModel):
    """``start_from`` of a configuration; ``start_from: head-t1w`` is short for ``{generator: head-t1w}``.

    Attributes
    ----------
    generator : str
        Id of a generator, or the folder of a bundle.
    frozen : {"none", "early_blocks", "all_but_spade_and_last_blocks"}
        What is not trained: nothing; the start and the first half of the blocks; or everything that does not read the
        labels, the last two blocks excepted.
    rate_factor : float
        The generator's learning rates are multiplied by this.
    warm_up : int
        Over so many iterations the generator's learning rates rise to this. Adam's first steps move all weights by the
        whole rate: without a rise, three of them undid a part of head-t1w (docs/training.md).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    generator: str = Field(min_length=1)
    frozen: Frozen = "none"
    rate_factor: float = Field(default=1.0, gt=0)
    warm_up: int = Field(default=50, ge=0)

    def factor(self, iteration: int) -> float:
        """What the generator's learning rates are multiplied by.

        Examples
        --------
        >>> settings = StartSettings(generator="head-t1w", rate_factor=0.5, warm_up=10)
        >>> [settings.factor(iteration) for iteration in (0, 4, 9, 500)]
        [0.05, 0.25, 0.5, 0.5]
        """
        return self.rate_factor * min(1.0, (iteration + 1) / max(self.warm_up, 1))


class Start(BaseModel):
    """What a training started from, as ``start.json`` keeps it: a resumed run does not look at the parent again.

    Attributes
    ----------
    parent, version, sha256, licence : str
        Of the bundle.
    network : str
    arguments : dict
        Of the network to be trained: the parent's, with the number of classes of this training.
    parent_classes : tuple of str
        In the order of the parent's channels.
    kept : tuple of str
        Classes whose weights are the parent's.
    new : dict
        Classes that the parent does not know, each with those that it starts as the mean of (none: drawn anew).
    dropped : tuple of str
        Classes of the parent that this training does not have.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    parent: str
    version: str
    sha256: str
    licence: str
    network: str
    arguments: dict[str, Any]
    parent_classes: tuple[str, ...]
    kept: tuple[str, ...]
    new: dict[str, tuple[str, ...]]
    dropped: tuple[str, ...]
    training_data: tuple[TrainingData, ...] = ()
    known_limits: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Id and version."""
        return f"{self.parent} {self.version}"

    def classes_text(self) -> str:
        """What became of the classes, in words."""
        parts = [f"{len(self.kept)} classes start with the weights that {self.title} has for them"]
        if self.new:
            each = [f"{name} ({'as ' + ', '.join(like) if like else 'anew'})" for name, like in self.new.items()]
            parts.append(f"new: {', '.join(each)}")
        if self.dropped:
            parts.append(f"left behind: {', '.join(self.dropped)}")
        return "; ".join(parts)

    def inherited_data(self) -> tuple[TrainingData, ...]:
        """Rows for the new bundle's table: the parent itself, then what the parent was trained on."""
        own = TrainingData(
            name=f"generator {self.title}",
            licence=self.licence,
            source=f"sha256:{self.sha256}",
            use="its weights, to start from",
        )
        through = f"through {self.title}"
        uses = [f"{through}: {row.use}" if row.use else through for row in self.training_data]
        rows = [row.model_copy(update={"use": use}) for row, use in zip(self.training_data, uses, strict=True)]
        return (own, *rows)

    def as_setting(self) -> dict[str, Any]:
        """For the new manifest."""
        kept = {"id": self.parent, **self.model_dump(mode="json", include={"version", "sha256", "licence"})}
        return {**kept, "classes_kept": list(self.kept), "classes_new": {k: list(v) for k, v in self.new.items()}}

    def card_text(self) -> str:
        """A section of the model card."""
        limits = "".join(f"* {limit}\n" for limit in self.known_limits)
        return (
            f"## What it started from\n\nThe weights of {self.title} (licence {self.licence}, manifest SHA-256"
            f" `{self.sha256}`). {self.classes_text().capitalize()}. Its training data count as this generator's too."
            f"\n\nKnown limits of {self.title}, which hold here until measured otherwise:\n\n{limits}\n"
        )

    def write(self, folder: Path) -> None:
        """As ``start.json``, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{START_FILE}.tmp"
        temporary.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        temporary.replace(folder / START_FILE)


def read_start(folder: Path) -> Start | None:
    """What an earlier part of this training started from; None when it says nothing.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when the file is damaged.
    """
    path = folder / START_FILE
    if not path.is_file():
        return None
    try:
        return Start.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"start.json of the training cannot be read ({type(error).__name__})",
            "restore it from a copy, or start again in another folder",
            path,
        ) from None


def with_start_in_full(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A configuration whose ``start_from`` is written out, with a folder's path made absolute.

    Examples
    --------
    >>> with_start_in_full({"start_from": "head-t1w"}, Path("/data"))
    {'start_from': {'generator': 'head-t1w'}}
    """
    start = content.get("start_from")
    start = {"generator": start} if isinstance(start, str) else start
    if not isinstance(start, dict) or not isinstance(start.get("generator"), str):
        return content
    name = start["generator"]
    if any(mark in name for mark in "/\\~$") or name.startswith("."):
        name = absolute_path(name, folder)
    return {**content, "start_from": {**start, "generator": name}}
