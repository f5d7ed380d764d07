"""Generators that stay in memory between runs, with their label schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.generators.loaded_bundles import LoadedBundles

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Loaded:
    """A verified generator, the schema of its labels and its network."""

    bundle: Bundle
    schema: LabelSchema
    network: nn.Module


class LoadedGenerators:
    """The last used generators and the segmentation network that looks at their results.

    Parameters
    ----------
    keep : int
        Generators that stay loaded; with 0 none does, and its network is gone with the run that asked for it.

    Attributes
    ----------
    bundles : LoadedBundles
        What holds them; the segmentation takes its network from the same place.

    Examples
    --------
    >>> generators = LoadedGenerators()
    >>> for request in requests:                                    # doctest: +SKIP
    ...     synthesize(request, generators=generators)
    """

    def __init__(self, keep: int = 2) -> None:
        self.bundles = LoadedBundles(keep + 1 if keep else 0)

    def get(self, path_or_id: str, device: str | torch.device = "cpu") -> Loaded:
        """Everything of a generator: from memory, unless one of its files has changed.

        Raises
        ------
        MedUSISError
            GENERATOR_NOT_FOUND, GENERATOR_CORRUPT.
        """
        bundle, schema = self.verified(path_or_id)
        return Loaded(bundle, schema, self.bundles.network(bundle, device))

    def verified(self, path_or_id: str) -> tuple[Bundle, LabelSchema]:
        """The same without its network: neither torch nor the weights are loaded.

        Raises
        ------
        MedUSISError
            GENERATOR_NOT_FOUND, GENERATOR_CORRUPT (also when it does not fit its schema).
        """
        bundle = self.bundles.verified(path_or_id, kind="generator")
        return bundle, fitting_schema(bundle)

    def release(self) -> None:
        """Forget everything, and give the memory back."""
        self.bundles.release()


def load_generator(path_or_id: str) -> tuple[Bundle, LabelSchema]:
    """A verified generator and its label schema, for a single use; raises as `LoadedGenerators.verified`."""
    return LoadedGenerators(keep=0).verified(path_or_id)


def fitting_schema(bundle: Bundle) -> LabelSchema:
    """The schema of a generator's labels; GENERATOR_CORRUPT when the two do not fit."""
    schema = load_schema(bundle.manifest.schema_id)
    classes = bundle.manifest.network.arguments.get("number_of_classes")
    if classes != schema.number_of_classes:
        raise MedUSISError(
            ErrorCode.GENERATOR_CORRUPT,
            f"the generator takes {classes} classes, its label schema '{schema.id}' has {schema.number_of_classes}",
            "install a version of the generator that fits this MedUSIS",
        )
    return schema
