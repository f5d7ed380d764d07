"""Generators that stay in memory between runs, with their label schemas."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.generators.loaded_bundles import LoadedBundles

if TYPE_CHECKING:
    import torch

    from MedUSISLib.synthesis.pass_networks import PassNetwork


@dataclass(frozen=True)
class Loaded:
    """A verified generator, the schema of its labels, and its network prepared for passes on a device."""

    bundle: Bundle
    schema: LabelSchema
    network: PassNetwork


class LoadedGenerators:
    """The last used generators and the segmentation network that looks at their results.

    May be used from several threads; a network itself serves one of them at a time.

    Parameters
    ----------
    keep : int
        Generators that stay loaded; with 0 none does, and its network is gone with the run that asked for it.

    Attributes
    ----------
    bundles : LoadedBundles
        Verifies the files; the segmentation keeps its network there.

    Examples
    --------
    >>> generators = LoadedGenerators()
    >>> for request in requests:                                    # doctest: +SKIP
    ...     synthesize(request, generators=generators)
    """

    def __init__(self, keep: int = 2) -> None:
        self.bundles = LoadedBundles(1 if keep else 0)
        self._keep = keep
        self._lock = threading.RLock()
        self._networks: OrderedDict[tuple[Path, str, str], PassNetwork] = OrderedDict()

    def get(self, path_or_id: str, device: str | torch.device = "cpu") -> Loaded:
        """Everything of a generator: from memory, unless one of its files has changed.

        Raises
        ------
        MedUSISError
            GENERATOR_NOT_FOUND, GENERATOR_CORRUPT.
        """
        bundle, schema = self.verified(path_or_id)
        return Loaded(bundle, schema, self.network(bundle, device))

    def network(self, bundle: Bundle, device: str | torch.device = "cpu") -> PassNetwork:
        """A verified generator's network, prepared for passes on a device.

        Raises
        ------
        MedUSISError
            GENERATOR_CORRUPT when the weights do not fit.
        """
        import torch

        from MedUSISLib.synthesis.pass_networks import pass_network

        key = (bundle.directory, bundle.sha256, str(device))
        with self._lock:
            network = self._networks.pop(key, None)
            for old in [old for old in self._networks if old[0] == key[0] and old[1] != key[1]]:
                del self._networks[old]
            if network is None:
                network = pass_network(bundle.load_network(), bundle.manifest, torch.device(device))
            if self._keep:
                self._networks[key] = network
                while len(self._networks) > self._keep:
                    self._networks.popitem(last=False)
            return network

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
        with self._lock:
            self._networks.clear()
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
