"""What a person chooses about a fine-tuning, and the configuration that `medusis train` makes of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from MedUSISLib.generators.manifest import Manifest
    from MedUSISLib.jobs.specification import JobSpecification

TEMPLATE = "fine-tune-head-t1w.yaml"
OWN = "own"

LENGTHS: Mapping[str, tuple[int, int]] = {"short": (60, 240), "normal": (60, 600), "long": (60, 3000)}
"""Iterations of the first phase (the discriminator learns, the generator hardly moves) and of the second (both)."""

FROZEN = ("none", "early_blocks", "all_but_spade_and_last_blocks")


@dataclass(frozen=True)
class FineTuneSettings:
    """The choices.

    Attributes
    ----------
    generator : str
        Id of the generator to start from.
    name : str
        Id of the new one: small letters, digits, ``-``, ``_`` and dots.
    sequence : str
        Only MRs of this sequence; empty: all.
    first_iterations, second_iterations : int
        Of the discriminator's phase and of the adversarial one.
    device : str
        "auto", "cpu", "cuda:0".
    frozen : str
        One of ``FROZEN``.
    rate_factor : float
    batch_size : int
    patience : int
        Checks without a better one after which it ends; 0: it goes to the end.
    criterion : str
        Figure that says which state is the best.
    seed : int
    folder : Path
        That holds the run's folder and the cache: patient data.
    """

    generator: str = "head-t1w"
    name: str = "my-head-t1w"
    sequence: str = ""
    first_iterations: int = LENGTHS["normal"][0]
    second_iterations: int = LENGTHS["normal"][1]
    device: str = "auto"
    frozen: str = "none"
    rate_factor: float = 0.3
    batch_size: int = 8
    patience: int = 6
    criterion: str = "mean_error"
    seed: int = 0
    folder: Path = Path()

    @property
    def length(self) -> str:
        """Which of ``LENGTHS`` this is, else ``OWN``."""
        chosen = (self.first_iterations, self.second_iterations)
        return next((name for name, iterations in LENGTHS.items() if iterations == chosen), OWN)

    def with_length(self, name: str) -> FineTuneSettings:
        """With the iterations of one of ``LENGTHS``."""
        first, second = LENGTHS[name]
        return replace(self, first_iterations=first, second_iterations=second)

    @property
    def iterations(self) -> int:
        """Of both phases."""
        return self.first_iterations + self.second_iterations

    @property
    def out(self) -> Path:
        """The run's own folder."""
        return self.folder / self.name

    @property
    def check_every(self) -> int:
        """After so many iterations the generator is judged: some twenty times, by tens.

        Examples
        --------
        >>> [FineTuneSettings(second_iterations=n).check_every for n in (100, 1000, 9800)]
        [10, 40, 410]
        """
        return max(10, round(self.iterations / 24 / 10) * 10)


def default_name(generator: str) -> str:
    """What a generator made from this one is called at first.

    Examples
    --------
    >>> default_name("head-t1w"), default_name("my-head-t1w")
    ('my-head-t1w', 'my-head-t1w-2')
    """
    if not generator.startswith("my-"):
        return f"my-{generator}"
    stem, _, number = generator.rpartition("-")
    return f"{stem}-{int(number) + 1}" if number.isdigit() else f"{generator}-2"


def configuration(settings: FineTuneSettings, manifest: Manifest, dataset: str, out: str, cache: str) -> dict[str, Any]:
    """The content of the YAML file.

    The losses, the discriminator and the rates are those of ``Resources/Training/fine-tune-head-t1w.yaml``.

    Parameters
    ----------
    settings : FineTuneSettings
    manifest : Manifest
        Of the generator to start from.
    dataset, out, cache : str
        Paths as they are to be written.
    """
    import yaml

    from MedUSISLib.resources import resource_path

    content: dict[str, Any] = yaml.safe_load(resource_path("Training", TEMPLATE).read_text(encoding="utf-8"))
    every = settings.check_every
    first, second = content["phases"]
    content |= {
        "name": settings.name,
        "out": out,
        "cache": cache,
        "seed": settings.seed,
        "device": settings.device,
        "batch_size": settings.batch_size,
        "start_from": {
            **content["start_from"],
            "generator": settings.generator,
            "frozen": settings.frozen,
            "rate_factor": settings.rate_factor,
        },
        "data": _data(content["data"], settings, manifest, dataset),
        "phases": [
            {**first, "iterations": settings.first_iterations},
            {**second, "iterations": settings.second_iterations},
        ],
        "selection": {
            **content["selection"],
            "criterion": settings.criterion,
            "patience": settings.patience or None,
            "export": "best",
        },
        "discriminator_crop": min(content["discriminator_crop"], *manifest.grid.size[:2]),
        "validate_every": every,
        "checkpoint_every": every,
        "card": {
            **content["card"],
            "title": f"{settings.name}, fine-tuned from {settings.generator}",
            "modality": manifest.modality,
            "body_region": manifest.body_region,
        },
    }
    return content


def _data(data: dict[str, Any], settings: FineTuneSettings, manifest: Manifest, dataset: str) -> dict[str, Any]:
    """Slices like those that the parent was trained on: its field of view (columns, rows there) and views."""
    data = {**data, "dataset": dataset}
    if settings.sequence:
        data["sequence"] = settings.sequence
    else:
        data.pop("sequence", None)
    columns, rows = manifest.grid.size[:2]
    if [rows, columns] != data["field_of_view"]:
        data["field_of_view"] = data["crop"] = [rows, columns]
    shares = {view: share for view, share in data["views"].items() if view in manifest.grid.views}
    if shares:
        data["views"] = shares
    else:
        data["views"] = {manifest.grid.slice_axis: 1.0}
    return data


def configuration_file(settings: FineTuneSettings, manifest: Manifest, dataset: Path, file: Path) -> str:
    """Text of a file that runs on another computer: paths are meant from where the file lies.

    Parameters
    ----------
    settings : FineTuneSettings
    manifest : Manifest
    dataset : Path
        dataset.json.
    file : Path
        Where the text will be written.
    """
    import yaml

    try:
        shown = Path(os.path.relpath(dataset, file.parent)).as_posix()
    except ValueError:  # another drive
        shown = dataset.as_posix()
    portable = replace(settings, device="auto")
    content = configuration(portable, manifest, shown, settings.name, f"{settings.name}-cache")
    head = (
        f"# Fine-tuning {settings.generator}: medusis train {file.name}\n"
        "# Made by the module MedUSIS of 3D Slicer. Paths are meant from this file's folder. dataset.json, the files\n"
        f"# in it and the generator {settings.generator} must be there; the cache holds patient data.\n"
    )
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)


def specification(settings: FineTuneSettings, manifest: Manifest, dataset: Path) -> JobSpecification:
    """The job that a background run does.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` naming the setting that does not work.
    """
    from MedUSISLib.jobs.specification import JobSpecification
    from MedUSISLib.training.configuration import configuration_from

    cache = str(settings.folder / "cache")
    content = configuration(settings, manifest, str(dataset), str(settings.out), cache)
    checked = configuration_from(content, settings.folder)
    return JobSpecification(kind="train", parameters=checked.model_dump(mode="json"))
