"""What a generator is trained and judged on: prepared cases, and the batches that are drawn from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress
from MedUSISLib.training.augmentation import Augmenter
from MedUSISLib.training.batch import Batch
from MedUSISLib.training.cases import Case, prepare_image, prepare_labels
from MedUSISLib.training.class_merging import ClassMerger
from MedUSISLib.training.configuration import GeneratorTraining, PhaseConfiguration
from MedUSISLib.training.slices import SliceSource
from MedUSISLib.training.validation import validation_slices


class GeneratorData:
    """Cases of all people, read, labelled and cached; the validation slices; batches of slices.

    Attributes
    ----------
    images : SliceSource
        Of the training people's images.
    label_maps : SliceSource or None
        Labels without images.
    held_out : ValidationSlices
    held_out_cases : list of Case
    trained_on : list of str
        Hashes of the training people.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` when there is nothing to train with; those of reading the files.
    """

    def __init__(self, configuration: GeneratorTraining, schema: LabelSchema, progress: Progress) -> None:
        self.configuration = configuration
        self.merger = ClassMerger(schema, configuration.data.merge_classes)
        self.augmenter = Augmenter(configuration.augmentation, schema)
        self.undeformed = Augmenter(configuration.augmentation, schema, deforms=False)
        data, cache = configuration.data, configuration.cache
        progress.stage("preparing the data")
        total = len(data.sources)
        self.trained_on = _anonymous(one.person for one in data.sources if one.split == "train")
        self._judged_on = _anonymous(one.person for one in data.images if one.split == "validation")
        cases: dict[tuple[str, str], list[Case]] = {}
        for number, image in enumerate(data.images):
            progress.checkpoint()
            case = prepare_image(image, schema, cache, Progress())
            cases.setdefault(("image", image.split), []).append(case)
            progress.step(number + 1, total)
        for number, labels in enumerate(data.label_maps):
            progress.checkpoint()
            case = prepare_labels(labels, schema, cache, Progress())
            cases.setdefault(("labels", labels.split), []).append(case)
            progress.step(len(data.images) + number + 1, total)
        if not cases.get(("image", "train")):
            raise MedUSISError(
                ErrorCode.BAD_SETTING, "there is no real image to train with", "add some under data.images"
            )
        weights = {image.person: image.weight for image in data.images}
        shares: dict[str, float] = {view: share for view, share in data.views.items()}

        def source(kind: str) -> SliceSource | None:
            found = cases.get((kind, "train"))
            if not found:
                return None
            return SliceSource(found, data.crop, shares, schema.number_of_classes, data.bottom_mm, weights)

        images = source("image")
        assert images is not None
        self.images: SliceSource = images
        self.label_maps = source("labels")
        if self.label_maps is None and data.pairing == "unpaired":
            raise MedUSISError(
                ErrorCode.BAD_SETTING, "unpaired training needs label maps", "add some under data.label_maps"
            )
        held_out = cases.get(("image", "validation")) or cases[("image", "train")]
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

    def batch(self, phase: PhaseConfiguration, rng: torch.Generator) -> Batch:
        """Labels, their images and real images for the discriminator, as a phase asks for them (on the CPU)."""
        count = self.configuration.batch_size
        unpaired = self.configuration.data.pairing == "unpaired"
        share = 1.0 if unpaired else phase.unpaired_share if self.label_maps is not None else 0.0
        without_image = round(count * share)
        parts, targets, real = [], None, None
        if count - without_image:
            labels, targets = self.images.batch(count - without_image, rng, self.augmenter)
            parts.append(labels)
        if without_image:
            assert self.label_maps is not None
            parts.append(self.label_maps.batch(without_image, rng, self.augmenter)[0])
        if phase.adversarial:
            # Never deformed: interpolation takes away the very texture that the discriminator is there for.
            real = self.images.batch(count, rng, self.undeformed)[1]
        return Batch(self.merger(torch.cat(parts), rng), targets, real)


def _anonymous(people: Iterable[str]) -> list[str]:
    """For checkpoints: enough to recognise a pseudonym, not to read it."""
    return sorted({hashlib.sha256(person.encode()).hexdigest()[:16] for person in people})
