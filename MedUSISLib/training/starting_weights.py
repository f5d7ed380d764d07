"""The weights of a finished generator as the start of another, also when the classes are not the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle, load_bundle
from MedUSISLib.networks.condition_convolution import ConditionConvolution
from MedUSISLib.networks.spectral_norm import is_spectral_norm
from MedUSISLib.training.fine_tuning import Start, StartSettings

#: What may differ from the parent's network without its weights losing their meaning.
_FREE = ("dropout", "dropout_blocks", "grain_blocks", "sharpening")
#: A fresh pair of singular vectors needs this many power iterations before the norm is that of the weight (to 1e-3).
_POWER_ITERATIONS = 200


def start_from(
    settings: StartSettings, schema: LabelSchema, network: Mapping[str, Any]
) -> tuple[Start, dict[str, Tensor]]:
    """Find the parent and decide which weights go where.

    Parameters
    ----------
    settings : StartSettings
    schema : LabelSchema
        Of the new training.
    network : mapping
        ``network`` of the configuration: must agree with the parent's, but for dropout, grain and sharpening.

    Returns
    -------
    Start
    dict of str to Tensor
        The parent's weights without spectral norm.

    Raises
    ------
    MedUSISError
        ``GENERATOR_NOT_FOUND``, ``GENERATOR_CORRUPT``; ``BAD_SETTING`` when the parent's classes have no names, or the
        configuration asks for another network.
    """
    bundle = load_bundle(settings.generator, kind="generator")
    manifest = bundle.manifest
    if manifest.network.name not in ("wavelet_generator", "oasis_generator"):
        raise _bad(f"'{manifest.id}' is a {manifest.network.name}, which this training does not know")
    theirs = dict(manifest.network.arguments)
    theirs.pop("sharpening", None)  # fitted anew at the end
    wanted = dict(network)
    name = wanted.pop("name", manifest.network.name)
    other = [key for key, value in wanted.items() if key not in _FREE and not _same(key, value, theirs)]
    if name != manifest.network.name or other:
        what = ", ".join(f"network.{key}" for key in (["name"] if name != manifest.network.name else []) + other)
        raise _bad(f"{what}: not that of '{manifest.id}', whose weights it starts from", "leave it out")
    parent_classes = _classes_of(bundle)
    kept = tuple(one for one in schema.names if one in parent_classes)
    new = {one: _relatives(one, schema, parent_classes) for one in schema.names if one not in parent_classes}
    start = Start(
        parent=manifest.id,
        version=manifest.version,
        sha256=bundle.sha256,
        licence=manifest.licence,
        network=name,
        arguments={**theirs, **wanted, "number_of_classes": schema.number_of_classes},
        parent_classes=parent_classes,
        kept=kept,
        new=new,
        dropped=tuple(one for one in parent_classes if one not in schema.names),
        training_data=manifest.training_data,
        known_limits=manifest.known_limits,
    )
    return start, bundle.load_network().state_dict()


@torch.no_grad()
def load_starting_weights(network: nn.Module, start: Start, weights: Mapping[str, Tensor], schema: LabelSchema) -> None:
    """Give a fresh network the parent's weights; what draws labels in does so class by class, by name.

    A class that the parent does not know starts as the mean of its relatives, or keeps its fresh weights.

    Parameters
    ----------
    network : nn.Module
        Built with ``start.arguments``, with or without spectral norm.
    """
    readers = {
        f"{name}.convolution.weight": module.noise_channels
        for name, module in network.named_modules()
        if isinstance(module, ConditionConvolution)
    }
    for name, tensor in network.state_dict().items():
        source = weights.get(name.replace("parametrizations.weight.original", "weight"))
        if source is None:
            continue  # singular vectors, and grain where the parent has none
        if name in readers:
            source = _by_class(tensor, source, readers[name], start, schema)
        tensor.copy_(source)
    for module in network.modules():
        if not parametrize.is_parametrized(module, "weight"):
            continue
        parametrizations: Any = module.parametrizations
        for norm in parametrizations["weight"]:
            if is_spectral_norm(norm):
                matrix = norm._reshape_weight_to_matrix(parametrizations["weight"].original)
                norm._power_method(matrix, _POWER_ITERATIONS)


def _by_class(fresh: Tensor, theirs: Tensor, noise: int, start: Start, schema: LabelSchema) -> Tensor:
    result = fresh.clone()
    result[:, :noise] = theirs[:, :noise]
    for index, name in enumerate(schema.names):
        like = (name,) if name in start.kept else start.new[name]
        if like:
            channels = [noise + start.parent_classes.index(one) for one in like]
            result[:, noise + index] = theirs[:, channels].mean(1)
    return result


def _classes_of(bundle: Bundle) -> tuple[str, ...]:
    """Names of the parent's classes: as it says itself, or those of its label schema."""
    manifest = bundle.manifest
    names = manifest.settings.get("classes") or load_schema(manifest.schema_id).names
    if len(names) != manifest.network.arguments.get("number_of_classes"):
        raise _bad(
            f"'{manifest.id}' has {manifest.network.arguments.get('number_of_classes')} classes, but its label schema"
            f" '{manifest.schema_id}' names {len(names)} here",
            "start from a generator that fits this MedUSIS",
        )
    return tuple(str(name) for name in names)


def _relatives(name: str, schema: LabelSchema, known: Sequence[str]) -> tuple[str, ...]:
    """Which of the known classes a new one starts as: its coarser class, else all of its tissue."""
    label = schema.class_named(name)
    coarser = label.merges_into
    while coarser is not None:
        if coarser in known:
            return (coarser,)
        coarser = schema.class_named(coarser).merges_into
    return tuple(one.name for one in schema.classes if one.tissue == label.tissue and one.name in known)


def _same(key: str, value: Any, theirs: Mapping[str, Any]) -> bool:
    defaults = {"noise_channels": 64, "spatial_dims": 2, "spade_hidden": 128}
    mine = list(value) if isinstance(value, (list, tuple)) else value
    return bool(theirs.get(key, defaults.get(key)) == mine)


def _bad(message: str, hint: str = "choose another generator to start from") -> MedUSISError:
    return MedUSISError(ErrorCode.BAD_SETTING, f"start_from: {message}", hint)
