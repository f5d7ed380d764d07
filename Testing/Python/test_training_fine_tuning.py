"""Fine-tuning: a training that starts from a finished generator, with the same classes and with others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from training_example import Recorder, tiny_training

from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle, load_bundle
from MedUSISLib.networks.factory import build_network
from MedUSISLib.resources import resource_path
from MedUSISLib.training.checkpoints import LAST, load_checkpoint
from MedUSISLib.training.configuration import GeneratorTraining
from MedUSISLib.training.fine_tuning import START_FILE, Start, StartSettings
from MedUSISLib.training.freezing import freeze
from MedUSISLib.training.run import train
from MedUSISLib.training.starting_weights import load_starting_weights, start_from

CPU = torch.device("cpu")
L1 = {"name": "l1", "iterations": 2, "l1": 1}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("parent")
    card = {"licence": "CC BY 4.0", "known_limits": ["never saw a child"],
            "training_data": [{"name": "two heads", "licence": "CC0", "use": "T1", "subjects": 2}]}  # fmt: skip
    return load_bundle(train(tiny_training(folder, phases=[L1], card=card), Recorder()).bundle)


def tuned(folder: Path, parent: Bundle, **changes: Any) -> GeneratorTraining:
    settings = {"start_from": str(parent.directory), "network": {}, "phases": [L1], "name": "tuned", **changes}
    return tiny_training(folder, **settings)


def other_schema(folder: Path) -> Path:
    """The head's classes without eyes, in another order, with a tumour and a foil."""
    content = json.loads(resource_path("Schemas", "head.json").read_text(encoding="utf-8"))
    classes = [one for one in content["classes"] if one["name"] != "eyes"]
    classes[1], classes[9] = classes[9], classes[1]
    gross = {"title": "x", "color": [1, 2, 3]}
    classes += [{"name": "tumour", "tissue": "brain", "merges_into": "brain", **gross},
                {"name": "foil", "tissue": "other", **gross}]  # fmt: skip
    content |= {"id": "head-with-tumour", "classes": [{**one, "index": n} for n, one in enumerate(classes)]}
    path = folder / "other.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def pictures(network: Any, labels: torch.Tensor, classes: int) -> torch.Tensor:
    network.sharpening = 0.0  # fitted at each export, not learned
    onehot = torch.nn.functional.one_hot(labels, classes).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        return network.eval()(onehot, torch.ones(len(labels), network.noise_channels))


def blocks_of_classes(classes: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, classes, (1, 8, 8), generator=rng).repeat_interleave(8, 1).repeat_interleave(8, 2)


def started(schema: LabelSchema, generator: str) -> tuple[Any, Start, dict[str, torch.Tensor]]:
    start, weights = start_from(StartSettings(generator=generator), schema, {})
    network = build_network(start.network, start.arguments)
    load_starting_weights(network, start, weights, schema)
    return network, start, weights


def test_the_start_draws_what_the_parent_draws() -> None:
    network, _, _ = started(load_schema("head"), "head-t1w")
    labels = blocks_of_classes(16)
    theirs = pictures(load_bundle("head-t1w").load_network(), labels, 16)
    assert theirs.std() > 0.1
    assert (pictures(network, labels, 16) - theirs).abs().max() < 5e-3


def test_classes_keep_their_weights_by_name_and_a_new_one_starts_as_its_coarser_class(tmp_path: Path) -> None:
    schema, head = load_schema(other_schema(tmp_path)), load_schema("head")
    network, start, weights = started(schema, "head-t1w")
    assert start.new == {"tumour": ("brain",), "foil": ()}
    assert start.dropped == ("eyes",)
    for name in ("start.convolution.weight", "blocks.1.norm2.spade.shared.convolution.weight"):
        mine, theirs = network.state_dict()[name], weights[name]
        assert torch.equal(mine[:, :64], theirs[:, :64])
        for one in start.kept:
            assert torch.equal(mine[:, 64 + schema.index_of(one)], theirs[:, 64 + head.index_of(one)]), one
        assert torch.equal(mine[:, 64 + schema.index_of("tumour")], theirs[:, 64 + head.index_of("brain")])
        assert not (mine[:, 64 + schema.index_of("foil"), None] == theirs[:, 64:]).flatten(2).all(2).any()
    # The same picture, labelled in either schema, gives the same image.
    labels = blocks_of_classes(schema.index_of("foil"))
    in_head = torch.tensor([head.index_of(one) if one in head else head.index_of("brain") for one in schema.names])
    theirs = pictures(load_bundle("head-t1w").load_network(), in_head[labels], 16)
    # (grain is drawn from the labels: elsewhere it differs)
    difference = pictures(network, labels, schema.number_of_classes) - theirs
    assert difference.abs().mean() < 0.1 * theirs.std()


def test_a_tuned_generator_names_its_parent_licence_and_data(parent: Bundle, tmp_path: Path) -> None:
    recorder = Recorder()
    schema = other_schema(tmp_path)
    configuration = tuned(tmp_path, parent)
    table = tmp_path / "names.csv"
    rows = [f"{n},{name},{name if name != 'eyes' else 'csf'}" for n, name in enumerate(load_schema("head").names)]
    table.write_text("value,name,class\n" + "\n".join(rows), encoding="utf-8")
    images = [one.model_copy(update={"mapping": str(table)}) for one in configuration.data.images]
    data = configuration.data.model_copy(
        update={"label_schema": str(schema), "images": tuple(images), "label_maps": ()}
    )
    bundle = load_bundle(train(configuration.model_copy(update={"data": data}), recorder).bundle)
    said = dict(recorder.warnings)["OTHER_CLASSES"]
    assert "tumour (as brain)" in said and "foil (anew)" in said and "eyes" in said
    manifest = bundle.manifest
    assert manifest.network.arguments["number_of_classes"] == 17
    assert manifest.settings["parent"]["sha256"] == parent.sha256
    assert manifest.settings["parent"]["classes_new"] == {"tumour": ["brain"], "foil": []}
    mine, own, inherited = manifest.training_data
    assert (mine.licence, mine.subjects) == ("owner to state", 3)
    assert (own.name, own.licence, own.source) == ("generator tiny 0.1.0", "CC BY 4.0", f"sha256:{parent.sha256}")
    assert (inherited.name, inherited.licence, inherited.use) == ("two heads", "CC0", "through tiny 0.1.0: T1")
    assert "never saw a child" in bundle.model_card and "CC BY 4.0" in bundle.model_card
    # Its classes stand in the manifest, so that it can be a parent although nobody else has its schema.
    assert start_from(StartSettings(generator=str(bundle.directory)), load_schema("head"), {})[0].dropped == (
        "tumour",
        "foil",
    )


@pytest.mark.parametrize("frozen", ["early_blocks", "all_but_spade_and_last_blocks"])
def test_what_is_frozen_stays_bit_identical_and_the_rest_learns(parent: Bundle, tmp_path: Path, frozen: str) -> None:
    start = {"generator": str(parent.directory), "frozen": frozen}
    result = train(tuned(tmp_path, parent, start_from=start), Recorder())
    state = load_checkpoint(result.out / LAST, CPU)["networks"]["generator"]
    state = {name.replace("parametrizations.weight.original", "weight"): one for name, one in state.items()}
    before = parent.state_dict()
    learnt = [name for name in before if name.endswith(("weight", "bias"))]
    same = {name for name in learnt if torch.equal(before[name], state[name])}
    if frozen == "early_blocks":
        assert {"start.convolution.weight", "blocks.0.conv1.weight", "blocks.0.norm1.spade.gamma.weight"} <= same
        assert not {"blocks.1.conv1.weight", "to_bands.weight"} & same
    else:  # two blocks only, the last two: nothing is frozen
        assert not {"blocks.0.conv1.weight", "to_bands.weight", "start.convolution.weight"} & same


def test_frozen_convolutions_beside_trained_spade_layers_and_new_classes() -> None:
    network = build_network("wavelet_generator", {"number_of_classes": 3, "widths": [8, 8, 8, 8], "spade_hidden": 4})
    freeze(network, "all_but_spade_and_last_blocks", new_classes=False)
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert "blocks.0.norm1.spade.gamma.weight" in trained and "start.convolution.weight" in trained
    assert "blocks.0.conv1.parametrizations.weight.original" not in trained
    assert "blocks.1.conv1.parametrizations.weight.original" in trained
    network.requires_grad_(True)
    freeze(network, "early_blocks", new_classes=True)
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert "blocks.0.norm1.spade.shared.convolution.weight" in trained and "start.convolution.weight" in trained
    assert "blocks.0.norm1.spade.gamma.weight" not in trained


def test_a_tuning_resumes_bit_identically_even_when_its_parent_is_gone(parent: Bundle, tmp_path: Path) -> None:
    phases = [{**L1, "iterations": 4}]
    gone = tmp_path / "parent"
    gone.mkdir()
    for path in parent.directory.rglob("*"):
        if path.is_file():
            (gone / path.relative_to(parent.directory)).parent.mkdir(exist_ok=True)
            (gone / path.relative_to(parent.directory)).write_bytes(path.read_bytes())
    start = {"generator": str(gone), "frozen": "early_blocks", "rate_factor": 0.5}
    common: dict[str, Any] = {"phases": phases, "start_from": start, "checkpoint_every": 2, "validate_every": 4}
    whole = train(tuned(tmp_path / "whole", parent, **common), Recorder())
    with pytest.raises(MedUSISError):
        train(tuned(tmp_path / "pieces", parent, **common), Recorder(cancel_after=4 + 2))
    gone.rename(tmp_path / "elsewhere")
    pieces = train(tuned(tmp_path / "pieces", parent, **common, resume=True), Recorder())
    one, two = (load_checkpoint(result.out / LAST, CPU)["networks"] for result in (whole, pieces))
    for name, tensor in one["generator"].items():
        assert torch.equal(tensor, two["generator"][name]), name
    assert (load_bundle(pieces.bundle).manifest.settings["parent"]
            == load_bundle(whole.bundle).manifest.settings["parent"])  # fmt: skip


def test_the_rate_factor_slows_the_generator(parent: Bundle, tmp_path: Path) -> None:
    before = parent.state_dict()["to_bands.weight"]

    def moved(name: str, factor: float) -> float:
        start = {"generator": str(parent.directory), "rate_factor": factor, "warm_up": 0}
        result = train(tuned(tmp_path / name, parent, start_from=start, cache=str(tmp_path / "cache")), Recorder())
        return float(
            (load_checkpoint(result.out / LAST, CPU)["networks"]["generator"]["to_bands.weight"] - before).norm()
        )

    assert moved("slow", 0.1) < 0.2 * moved("fast", 1.0)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"start_from": "no-such-generator"}, ErrorCode.GENERATOR_NOT_FOUND, "no-such-generator"),
        ({"start_from": "head-seg"}, ErrorCode.GENERATOR_NOT_FOUND, "segmentator"),
        ({"network": {"widths": [8, 8]}}, ErrorCode.BAD_SETTING, "network.widths"),
        ({"network": {"name": "oasis_generator"}}, ErrorCode.BAD_SETTING, "network.name"),
        ({"start_from": "head-t1w", "network": {}}, ErrorCode.BAD_SETTING, "data.crop"),
    ],
)
def test_a_start_that_does_not_work_is_named(
    parent: Bundle, tmp_path: Path, changes: dict[str, Any], code: ErrorCode, words: str
) -> None:
    data = tuned(tmp_path, parent).data.model_copy(update={"crop": (96, 64)})
    configuration = tuned(tmp_path, parent, **changes).model_copy(update={"data": data})
    with pytest.raises(MedUSISError) as caught:
        train(configuration, Recorder())
    assert caught.value.code is code
    assert words in str(caught.value)
    assert not (configuration.out / START_FILE).exists()


def test_a_training_needs_a_network_or_a_generator_to_start_from(tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="start_from"):
        tiny_training(tmp_path, network={})
