"""What a generator is trained and judged on: prepared cases, and the batches that are drawn from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress
from MedUSISLib.training.augmentation import Augmenter
from MedUSISLib.training.batch import Batch
from MedUSISLib.training.boxes import BoxSource
from MedUSISLib.training.cases import Case
from MedUSISLib.training.class_merging import ClassMerger
from MedUSISLib.training.configuration import GeneratorTraining, PhaseConfiguration
from MedUSISLib.training.data_configuration import DataConfiguration, ImageSource
from MedUSISLib.training.held_out import HeldOutVolumes
from MedUSISLib.training.preparation import prepare_cases
from MedUSISLib.training.sampling import Sample, Stream, rank_positions, sample_generator, shifted_seed
from MedUSISLib.training.slices import SliceSource
from MedUSISLib.training.validation_slices import validation_slices

NOBODY_HELD_OUT = (
    "no image has `split: validation`: the training people themselves are measured, so the figures, the best state and"
    " the model card say nothing about other people"
)


class GeneratorData:
    """Cases of all people, read, labelled and cached; the validation slices; batches of slices.

    Attributes
    ----------
    images : SliceSource or BoxSource
        Of the training people's images.
    label_maps : SliceSource, BoxSource or None
        Labels without images.
    held_out : ValidationSlices
    held_out_volumes : HeldOutVolumes or None
        Where a 3D generator is trained; ``held_out`` are slices of them.
    held_out_cases : list of Case
    trained_on : list of str
        Hashes of the training people.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` when there is nothing to train with; those of reading the files.
    """

    def __init__(
        self, configuration: GeneratorTraining, schema: LabelSchema, progress: Progress, rank: int = 0
    ) -> None:
        self.configuration = configuration
        self.merger = ClassMerger(schema, configuration.data.merge_classes)
        self.augmenter = Augmenter(configuration.augmentation, schema)
        self.undeformed = Augmenter(configuration.augmentation, schema, deforms=False)
        data = configuration.data
        self.trained_on = _anonymous(one.person for one in data.sources if one.split == "train")
        self._judged_on = _anonymous(one.person for one in data.images if one.split == "validation")
        _check_sources(data)
        if not self._judged_on:
            progress.warning("NOBODY_HELD_OUT", NOBODY_HELD_OUT)
        progress.stage("preparing the data")
        self._has_lesions = any(image.lesions is not None for image in data.images)
        workers = configuration.prepare_workers if rank == 0 else 1
        found = prepare_cases(data.sources, schema, configuration.cache, progress, data.grid_spec, workers)
        cases: dict[tuple[str, str], list[Case]] = {}
        for one, case in zip(data.sources, found, strict=True):
            kind = "image" if isinstance(one, ImageSource) else "labels"
            cases.setdefault((kind, one.split), []).append(case)
        self.images = _source(cases[("image", "train")], data, schema)
        self.label_maps = _source(cases[("labels", "train")], data, schema) if ("labels", "train") in cases else None
        held_out = cases.get(("image", "validation")) or cases[("image", "train")]
        self.held_out_volumes = _volumes(held_out, configuration, schema)
        if self.held_out_volumes is not None:
            self.held_out = self.held_out_volumes.slices
        elif len(data.crop) == 2:
            self.held_out = validation_slices(held_out, data.crop)
        self.held_out_cases = [*held_out, *cases.get(("labels", "validation"), [])]

    def check_resumed(self, trained_on: Iterable[str]) -> None:
        """Refuse to go on when somebody who is to be judged on has been trained on.

        Parameters
        ----------
        trained_on : iterable of str
            ``trained_on`` of the interrupted training.
        """
        moved = set(trained_on) & set(self._judged_on)
        if moved:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"{len(moved)} of the people for validation were trained on before the interruption",
                "give them back to the training side, or begin again in another folder",
            )

    def batch(
        self, phase: PhaseConfiguration, iteration: int, rank: int = 0, world: int = 1, seed_shift: int = 0
    ) -> Batch:
        """Labels, their images and real images for the discriminator, as a phase asks for them (on the CPU).

        Parameters
        ----------
        phase : PhaseConfiguration
        iteration : int
        rank, world : int
            This process and how many there are: each gets every so-manieth sample of the same batch.
        seed_shift : int
            Other samples than before, after a roll-back.
        """
        count = self.configuration.batch_size
        seed = shifted_seed(self.configuration.seed, seed_shift)
        unpaired = self.configuration.data.pairing == "unpaired"
        share = 1.0 if unpaired else phase.unpaired_share if self.label_maps is not None else 0.0
        paired = count - round(count * share)
        positions = rank_positions(count, rank, world)
        samples = [self._sample(seed, iteration, position, paired) for position in positions]
        with_image = [sample for sample, position in zip(samples, positions, strict=True) if position < paired]
        images = [sample.image for sample in with_image if sample.image is not None]
        real = None
        if phase.adversarial:
            real = torch.stack([self._real(seed, iteration, position) for position in positions])
        return Batch(
            torch.stack([sample.labels for sample in samples]),
            torch.stack(images) if images else None,
            real,
            self._lesions(with_image),
        )

    def _sample(self, seed: int, iteration: int, position: int, paired: int) -> Sample:
        rng = sample_generator(seed, iteration, position)
        source = self.images if position < paired else self.label_maps
        assert source is not None
        sample = self.augmenter(source.draw(rng), rng)
        return replace(sample, labels=self.merger(sample.labels[None], rng)[0])

    def _real(self, seed: int, iteration: int, position: int) -> Tensor:
        # Never deformed: interpolation takes away the very texture that the discriminator is there for.
        rng = sample_generator(seed, iteration, position, Stream.REAL)
        image = self.undeformed(self.images.draw(rng), rng).image
        assert image is not None
        return image

    def _lesions(self, samples: list[Sample]) -> Tensor | None:
        """Masks of samples with an image; empty ones for people of whom nobody said where lesions are."""
        if not samples or not self._has_lesions:
            return None
        masks = (
            torch.zeros(1, *sample.labels.shape, dtype=torch.bool) if sample.lesions is None else sample.lesions
            for sample in samples
        )
        return torch.stack(list(masks))


def _check_sources(data: DataConfiguration) -> None:
    """Before the cases are prepared, which takes minutes."""
    if not any(image.split == "train" for image in data.images):
        raise MedUSISError(ErrorCode.BAD_SETTING, "there is no real image to train with", "add some under data.images")
    if data.pairing == "unpaired" and not any(labels.split == "train" for labels in data.label_maps):
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "unpaired training needs label maps to train with", "add some under data.label_maps"
        )
    if data.pairing == "paired" and (lacking := sum(image.labels is None for image in data.images)):
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"{lacking} of {len(data.images)} images have no labels of their own, but data.pairing is paired",
            "give `labels` for each image, or pairing: pseudo, which lets head-seg label them",
        )


def _volumes(cases: list[Case], configuration: GeneratorTraining, schema: LabelSchema) -> HeldOutVolumes | None:
    """For a 3D generator, which draws volumes to be judged."""
    data = configuration.data
    if len(data.window) == 2:
        return None
    low = configuration.precision == "bf16-mixed"
    return HeldOutVolumes(
        cases,
        data.window,
        schema.number_of_classes,
        pixel_mm=data.spacing_mm[0],
        precision="bfloat16" if low else "float32",
    )


def _source(cases: list[Case], data: DataConfiguration, schema: LabelSchema) -> SliceSource | BoxSource:
    """Slices or boxes of the cases, by the number of axes of the crop."""
    weights = {image.person: image.weight for image in data.images}
    classes = schema.number_of_classes
    if len(data.crop) == 3:
        return BoxSource(cases, data.crop, classes, data.bottom_mm, weights)
    shares: dict[str, float] = {view: share for view, share in data.views.items()}
    return SliceSource(cases, data.crop, shares, classes, data.bottom_mm, weights)


def _anonymous(people: Iterable[str]) -> list[str]:
    """For checkpoints: enough to recognise a pseudonym, not to read it."""
    return sorted({hashlib.sha256(person.encode()).hexdigest()[:16] for person in people})
