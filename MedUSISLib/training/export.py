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
from MedUSISLib.segmentation.encoding import CHANNELS
from MedUSISLib.training.calibration import fitted_sharpening
from MedUSISLib.training.configuration import CardConfiguration
from MedUSISLib.training.generator_run import GeneratorRun
from MedUSISLib.training.measurements import PASSES, measure_noise, measure_volume, review_threshold
from MedUSISLib.training.model_card import CAUTION, model_card
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


def export_generator(run: GeneratorRun, directory: Path) -> Bundle:
    """Measure and write the bundle of a generator.

    Parameters
    ----------
    run : GeneratorRun
        Prepared, and trained or loaded from its checkpoint.
    directory : Path
        Folder of the bundle; an existing bundle there is replaced as a whole.
    """
    configuration, networks, schema = run.configuration, run.state.networks, run.schema
    run.progress.stage("measuring the generator")
    network: Any = half_precision_copy(run.averaged_network())
    classes, channels, crop = schema.number_of_classes, networks.noise_channels, configuration.data.crop
    arguments = dict(networks.generator_arguments)
    if "sharpening" not in arguments and hasattr(network, "sharpening"):
        network.sharpening = fitted_sharpening(network, run.data.images.cases, crop, channels, classes)
        arguments["sharpening"] = network.sharpening
    validation, fake = run.judge(network, channels)
    # A hospital's own data: neither its pseudonyms nor its images leave with the bundle.
    private = configuration.data.dataset is not None
    volumes = []
    for number, case in enumerate(run.data.held_out_cases):
        run.progress.checkpoint()
        measured = measure_volume(network, case, crop, channels, classes)
        volumes.append(replace(measured, person=f"person {number + 1}") if private else measured)
        run.progress.step(number + 1, len(run.data.held_out_cases))
    noise = measure_noise(network, run.data.held_out.labels[::4], channels, schema)
    threshold = review_threshold(volumes, network)
    card = configuration.card
    data = (*card.training_data, *(run.state.start.inherited_data() if run.state.start else ()))
    frame = configuration.data.field_of_view or crop
    settings = {
        "iterations": run.state.iteration,
        **(
            {"chosen as the best by": run.state.selection.settings.criterion}
            if run.state.selection.settings.exports_best
            else {}
        ),
        **({"roll-backs": run.state.rollbacks} if run.state.rollbacks else {}),
        "batch size": configuration.batch_size,
        "crop": f"{crop[0]} x {crop[1]} voxels of 1 mm",
        "views": dict(configuration.data.views),
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
        spatial_dims=2,
        grid=GridDescription(
            size=(frame[1], frame[0]),
            views=tuple(view for view, share in configuration.data.views.items() if share > 0),
        ),
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
    picture = configuration.out / "samples.png"
    save_sample_grid(picture, run.data.held_out, fake, schema, count=10, real=not private)
    start = "" if run.state.start is None else run.state.start.card_text()
    shown = card.model_copy(update={"training_data": data})
    text = model_card(configuration.name, shown, validation, volumes, noise, threshold, settings, start)
    return write_bundle(directory, manifest, network.state_dict(), text, {"samples.png": picture})


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
