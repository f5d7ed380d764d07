"""The Frechet distance between synthetic and real slices, person by person, and the yardstick that it is read by."""

from __future__ import annotations

import numpy as np

from MedUSISLib.evaluation.frechet import frechet_distance
from MedUSISLib.evaluation.texture_features import texture_features
from MedUSISLib.training.validation_slices import ValidationSlices

SMALLEST_SET = 8
"""A person with fewer patches is left out: ten features have no covariance to speak of then."""


class TextureDistance:
    """Distance between the patches of a person's synthetic slices and those of the real slices of the same person.

    Features are divided by their spread in the real held-out slices, so that 1 is a shift of one feature by one
    standard deviation. The figure is the mean over the held-out people. A distance of zero cannot be had with few
    patches, and a distance from another data set cannot be compared with it; so there is a yardstick, measured in the
    same way: how far the real slices of one person are from those of another (the median of the pairs).

    Parameters
    ----------
    slices : ValidationSlices
        Of held-out people.
    others : ValidationSlices, optional
        Real slices of other people. Without them the held-out people are compared with one another.

    Attributes
    ----------
    between_people : float or None
        The yardstick; ``None`` for a single person.
    patches : int
        Of all held-out people together.
    other_people : int
        With whom they were compared.
    """

    def __init__(self, slices: ValidationSlices, others: ValidationSlices | None = None) -> None:
        self._slices = slices
        self._scale = np.ones(1)
        real = self._by_person(slices, slices.images)
        everything = np.concatenate(list(real.values())) if real else np.zeros((0, 1))
        if len(everything):
            self._scale = np.maximum(everything.std(axis=0), 1e-3)
        self._real = {person: features / self._scale for person, features in real.items()}
        self.patches = sum(len(features) for features in real.values())
        strangers = {} if others is None else self._by_person(others, others.images)
        people = list(self._real.values())
        apart = [frechet_distance(theirs / self._scale, mine) for mine in people for theirs in strangers.values()]
        self.other_people = len(strangers)
        if not strangers:
            apart = [frechet_distance(a, b) for i, a in enumerate(people) for b in people[i + 1 :]]
            self.other_people = len(people) - 1 if people else 0
        self.between_people = float(np.median(apart)) if apart else None

    @property
    def available(self) -> bool:
        """Whether anybody has enough patches."""
        return bool(self._real)

    def __call__(self, fake: np.ndarray) -> float | None:
        """Mean distance over the people; ``None`` when nobody has enough patches.

        Parameters
        ----------
        fake : ndarray [N, H, W]
            Synthetic slices in the order of the real ones.
        """
        drawn = self._by_person(self._slices, fake)
        distances = [frechet_distance(drawn[person] / self._scale, mine) for person, mine in self._real.items()]
        return float(np.mean(distances)) if distances else None

    @staticmethod
    def _by_person(slices: ValidationSlices, images: np.ndarray) -> dict[int, np.ndarray]:
        found = {}
        for person in np.unique(slices.people):
            own = slices.people == person
            features = texture_features(images[own], slices.body[own])
            if len(features) >= SMALLEST_SET:
                found[int(person)] = features
        return found
