"""From a finished training to a generator bundle: averaged weights, measurements, model card."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import torch

from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.generators.manifest import (
    DropoutDescription,
    GridDescription,
    IntensityDescription,
    Manifest,
    NetworkDescription,
    NoiseDescription,
    ReviewThresholds,
)
from MedUSISLib.generators.writing import write_bundle
from MedUSISLib.networks.spectral_norm import fold_spectral_norm
from MedUSISLib.private_folder import private_folder
from MedUSISLib.segmentation.encoding import CHANNELS
from MedUSISLib.training.before_and_after import before_and_after
from MedUSISLib.training.configuration import CardConfiguration
from MedUSISLib.training.data_configuration import DataConfiguration
from MedUSISLib.training.dataset_data import counted_row
from MedUSISLib.training.examination import examination_of
from MedUSISLib.training.generator_run import GeneratorRun
from MedUSISLib.training.measurements import PASSES, review_threshold
from MedUSISLib.training.model_card import CAUTION, USUAL_LIMITS, model_card
from MedUSISLib.training.sample_grid import save_sample_grid
from MedUSISLib.training.segmentator_run import OUTPUTS, SegmentatorRun
from MedUSISLib.training.t1_scaling import CLIP


def _common(name: str, card: CardConfiguration) -> dict[str, Any]:
    return {
        "id": name,
        "version": card.version,
        "title": card.title or name,
        "created": date.today().isoformat(),
        "licence": card.licence,
        "modality": card.modality,
        "body_region": card.body_region,
        "intended_use": card.intended_use,
        "known_limits": card.known_limits,
        "training_data": card.training_data,
    }


def half_precision_copy(network: torch.nn.Module) -> torch.nn.Module:
    """The network as a bundle stores it: spectral norm folded away, weights rounded to half precision.

    What is measured for the card is measured on this copy, so that the figures are those of the file.
    """
    stored = fold_spectral_norm(copy.deepcopy(network)).eval()
    with torch.no_grad():
        for tensor in [*stored.parameters(), *stored.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())
    return stored


def export_generator(run: GeneratorRun, directory: Path, state: str | None = None) -> Bundle:
    """Measure and write the bundle of a generator.

    Parameters
    ----------
    run : GeneratorRun
        Prepared, and trained or loaded from its checkpoint.
    directory : Path
        Folder of the bundle; an existing bundle there is replaced as a whole.
    state : {"best", "last"}, optional
        Of a training that has not ended: which checkpoint was loaded, for the card.
    """
    configuration, networks, schema = run.configuration, run.state.networks, run.schema
    run.progress.stage("measuring the generator")
    network: Any = half_precision_copy(run.averaged_network())
    channels, window = networks.noise_channels, configuration.data.window
    examination = examination_of(run.data, configuration.data, channels, schema)
    arguments = dict(networks.generator_arguments)
    if "sharpening" not in arguments and hasattr(network, "sharpening"):
        network.sharpening = examination.sharpening(network)
        arguments["sharpening"] = network.sharpening
    validation, fake = run.judge(network, channels)
    # A hospital's own data: neither its pseudonyms nor its images leave with the bundle.
    private = not configuration.data.public
    volumes = []
    for number, case in enumerate(run.data.held_out_cases):
        run.progress.checkpoint()
        measured = examination.volume(network, case)
        volumes.append(replace(measured, person=f"person {number + 1}") if private else measured)
        run.progress.step(number + 1, len(run.data.held_out_cases))
    noise = examination.noise(network)
    threshold = review_threshold(volumes, network)
    card = configuration.card
    card = card.model_copy(update={"known_limits": card.known_limits or USUAL_LIMITS})
    change = None
    if run.state.start is not None:
        change = before_and_after(
            configuration.out, run.state.start.title, run.state.iteration, validation.yardsticks()
        )
    own = card.training_data or (counted_row(configuration.data),)
    data = (*own, *(run.state.start.inherited_data() if run.state.start else ()))
    settings = {
        "iterations": run.state.iteration if state is None else f"{run.state.iteration} of {run.total}",
        **(
            {"chosen as the best by": run.state.selection.settings.criterion}
            if state == "best" or (state is None and run.state.selection.settings.exports_best)
            else {}
        ),
        **({"roll-backs": run.state.rollbacks} if run.state.rollbacks else {}),
        "batch size": configuration.batch_size,
        **_drawn(configuration.data),
        "pairing": configuration.data.pairing,
        "phases": ", ".join(f"{phase.name} ({phase.iterations})" for phase in configuration.phases),
        "parameters": sum(p.numel() for p in network.parameters()),
        "random seed": configuration.seed,
        "sharpening (fitted on the training people)": arguments.get("sharpening", 0),
    }
    manifest = Manifest(
        **{**_common(configuration.name, card), "training_data": data},
        kind="generator",
        schema_id=schema.id,
        spatial_dims=3 if len(window) == 3 else 2,
        grid=_grid(configuration.data),
        intensity=IntensityDescription(minimum=0.0, maximum=CLIP, unit="white matter = 0.7"),
        network=NetworkDescription(name=networks.generator_name, arguments=arguments),
        noise=NoiseDescription(channels=channels, truncation=2.0),
        dropout=DropoutDescription(
            rate=networks.generator_arguments.get("dropout", 0.0),
            blocks=networks.generator_arguments.get("dropout_blocks", 3),
        ),
        review=ReviewThresholds(uncertainty=threshold, passes=PASSES),
        results={
            "held_out": validation.figures(),
            "yardsticks": validation.yardsticks(),
            "samples": validation.samples,
            "resegmentation": {
                row.name: {"synthetic": row.dice, "real": validation.dice_real.get(row.name)} for row in validation.dice
            },
            **({"swapped": [list(pair) for pair in validation.swapped]} if validation.swapped else {}),
            **({"parent": change.as_dict()} if change is not None else {}),
            "volumes": [vars(one) for one in volumes],
            "noise": noise,
            "class_means_real": {row.name: row.mean for row in validation.rows_real if row.count},
            "class_means": {
                real.name: {"real": real.mean, "synthetic": fake_row.mean, "voxels": real.count}
                for real, fake_row in zip(validation.rows_real, validation.rows_synthetic, strict=True)
                if real.count
            },
        },
        settings={"training": settings, "classes": list(schema.names), **_parent(run)},
    )
    start = "" if run.state.start is None else run.state.start.card_text()
    shown = card.model_copy(update={"training_data": data})
    text = model_card(
        configuration.name,
        shown,
        validation,
        volumes,
        noise,
        threshold,
        settings,
        start,
        change,
        held_out=any(image.split == "validation" for image in configuration.data.images),
    )
    with private_folder("card") as folder:
        picture = folder / "samples.png"
        save_sample_grid(picture, run.data.held_out, fake, schema, count=10, real=not private)
        return write_bundle(directory, manifest, network.state_dict(), text, {"samples.png": picture})


def _drawn(data: DataConfiguration) -> dict[str, Any]:
    """For the card: what was drawn from the volumes."""
    sides = " x ".join(map(str, data.crop))
    if data.spatial_dims == 2:
        return {"crop": f"{sides} voxels of 1 mm", "views": dict(data.views)}
    return {"crop": f"{sides} voxels of {' x '.join(f'{mm:g}' for mm in data.spacing_mm)} mm"}


def _grid(data: DataConfiguration) -> GridDescription:
    """The grid of the manifest, whose axes run the other way round."""
    window = data.window
    if len(window) == 3:
        return GridDescription(spacing_mm=data.spacing_mm, size=(window[2], window[1], window[0]))
    views = tuple(view for view, share in data.views.items() if share > 0)
    return GridDescription(size=(window[1], window[0]), views=views)


def _parent(run: GeneratorRun) -> dict[str, Any]:
    """For the manifest's settings: what this generator was fine-tuned from, and how."""
    chosen = run.configuration.start_from
    if run.state.start is None or chosen is None:
        return {}
    how = {
        "frozen": chosen.frozen,
        "rate_factor": chosen.rate_factor,
        "warm_up": chosen.warm_up,
        "trained_weights": run.state.networks.trained_weights,
    }
    return {"parent": {**run.state.start.as_setting(), **how}}


def export_segmentator(run: SegmentatorRun, directory: Path, dice: dict[str, float]) -> Bundle:
    """Write the bundle of a segmentator; ``dice`` is that of the held-out label maps' invented slices."""
    configuration, card = run.configuration, run.configuration.card
    manifest = Manifest(
        **_common(configuration.name, card),
        kind="segmentator",
        schema_id="head",
        grid=GridDescription(size=(configuration.crop[1], configuration.crop[0])),
        network=NetworkDescription(name="subpixel_unet", arguments=run.arguments),
        results={"dice_on_invented_slices": dice},
        settings={"channels": CHANNELS, "outputs": OUTPUTS, "iterations": run.iteration},
    )
    rows = "".join(f"| {name} | {value:.2f} |\n" for name, value in dice.items())
    data = "".join(f"* {row.name}, {row.licence}: {row.use}\n" for row in card.training_data)
    limits = "".join(f"* {limit}\n" for limit in card.known_limits)
    measurements = "".join(f"{sentence}\n" for sentence in card.measurements)
    text = f"""# {card.title or configuration.name}

{CAUTION.replace("generator draws", "segmentator answers").replace("picture", "label map")}

Version {card.version}, licence {card.licence}. {card.intended_use}

## Limits

{limits}
## Measured

Dice on invented slices of held-out label maps ({run.iteration} iterations):

| class | Dice |
|---|---|
{rows}
{measurements}
## Trained on

{data}"""
    network = half_precision_copy(run.averaged_network())
    return write_bundle(directory, manifest, network.state_dict(), text)
