"""The data of a training taken from a ``dataset.json``: who, what, and on which side of the split."""

from __future__ import annotations

from pathlib import Path

from MedUSISLib.dataset.model import CaseEntry, Dataset, load_dataset
from MedUSISLib.dataset.training_sources import training_sources
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.manifest import TrainingData
from MedUSISLib.training.configuration import GeneratorTraining
from MedUSISLib.training.data_configuration import FROM_DATASET, DataConfiguration

_EDIT = "edit dataset.json (medusis dataset check says whether it is whole), or scan the folders again"


def with_dataset(configuration: GeneratorTraining) -> GeneratorTraining:
    """The configuration with images and label maps in place of ``data.dataset``; others come back as they are.

    Split, roles, mappings and what is left out are those of the file; the test people stay out. ``label_schema`` and
    ``pairing`` are the file's, unless the configuration says them.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` when the file lacks something: MRs of the sequence in training or in validation, what the
        values of a label map mean, labels where ``pairing: paired`` was asked for. ``INPUT_NOT_READABLE`` when it
        cannot be read or a file that it names is not there.
    """
    data = configuration.data
    if data.dataset is None:
        return configuration
    dataset = load_dataset(data.dataset)
    _check(dataset, data)
    sources = training_sources(dataset, sequence=data.sequence)
    if data.pairing == "paired" and sources["pairing"] != "paired":
        lacking = sum(case.labels is None for case in _mr_cases(dataset, data.sequence))
        raise _incomplete(dataset, f"{lacking} MR without labels of their own, but data.pairing is paired")
    for name in ("label_schema", "pairing"):
        if getattr(data, name) != FROM_DATASET:
            sources[name] = getattr(data, name)
    content = data.model_dump(exclude={"dataset", "sequence", *sources})
    resolved = DataConfiguration.model_validate({**content, **sources})
    resolved = resolved.model_copy(update={"dataset": data.dataset, "sequence": data.sequence})
    card = configuration.card
    if not card.training_data:
        card = card.model_copy(update={"training_data": (counted_row(resolved),)})
    return configuration.model_copy(update={"data": resolved, "card": card})


def _check(dataset: Dataset, data: DataConfiguration) -> None:
    of_sequence = f" of the sequence {data.sequence}" if data.sequence else ""
    sides = {dataset.split_of(case.person) for case in _mr_cases(dataset, data.sequence)}
    for side, purpose in (("train", "learn from"), ("validation", "be judged on")):
        if side not in sides:
            hint = f"set the split of a person with an MR{of_sequence} to {side} in dataset.json, or scan more folders"
            raise _incomplete(dataset, f"nobody on the side '{side}' has an MR{of_sequence} to {purpose}", hint)
    for case in _cases(dataset):
        for file_id in case.files():
            path = dataset.path_of(file_id)
            if not path.exists():
                raise MedUSISError(
                    ErrorCode.INPUT_NOT_READABLE, f"a file of the dataset is not there ({file_id})", _EDIT, path
                )
        if case.labels is not None and dataset.mapping_of(case.labels) is None:
            hint = "set its mapping in dataset.json, or its use to false"
            raise _incomplete(dataset, f"nobody said what the values of a label map mean ({case.labels})", hint)


def _cases(dataset: Dataset) -> list[CaseEntry]:
    return [*dataset.used_cases("train"), *dataset.used_cases("validation")]


def _mr_cases(dataset: Dataset, sequence: str | None) -> list[CaseEntry]:
    return [c for c in _cases(dataset) if c.mr is not None and sequence in (None, dataset.file(c.mr).sequence)]


def _incomplete(dataset: Dataset, what: str, hint: str = _EDIT) -> MedUSISError:
    path: Path = dataset.folder
    return MedUSISError(ErrorCode.BAD_SETTING, f"the dataset is not complete: {what}", hint, path)


def counted_row(data: DataConfiguration) -> TrainingData:
    """A row for the card's table, without names: people and files; the owner has to say the licence."""
    sides = {}
    for side, purpose in (("train", "for training"), ("validation", "held out for validation")):
        images = [one for one in data.images if one.split == side]
        maps = [one for one in data.label_maps if one.split == side]
        people = len({one.person for one in images} | {one.person for one in maps})
        files = [f"{len(images)} MR"] if images else []
        files += [f"{len(maps)} label maps or CT without MR"] if maps else []
        if files:
            sides[side] = f"{people} {'person' if people == 1 else 'people'} {purpose} ({', '.join(files)})"
    return TrainingData(
        name="the owner's own data",
        licence="owner to state",
        use="; ".join(sides.values()),
        subjects=len({one.person for one in data.sources}),
    )
