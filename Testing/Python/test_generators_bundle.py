"""A bundle is read only when every file is what its manifest says, and never unpickled."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tiny_generator import tiny_bundle, tiny_manifest

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle, load_bundle, verify_bundle
from MedUSISLib.generators.catalogue import available_bundles, available_generators, user_generator_directory
from MedUSISLib.generators.manifest import GridDescription, Manifest, NetworkDescription, check_file_name, read_manifest
from MedUSISLib.generators.writing import write_bundle
from MedUSISLib.networks.factory import build_network
from MedUSISLib.networks.spectral_norm import fold_spectral_norm


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return tiny_bundle(tmp_path / "tiny")


def refused(directory: Path, code: ErrorCode = ErrorCode.GENERATOR_CORRUPT) -> str:
    with pytest.raises(MedUSISError) as caught:
        verify_bundle(directory).load_network()
    assert caught.value.code is code
    assert str(directory) not in str(caught.value)
    return caught.value.message


def rewrite_manifest(bundle: Bundle, **changes: object) -> None:
    path = bundle.directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_written_bundle_holds_everything_with_its_hash(bundle: Bundle) -> None:
    files = {p.relative_to(bundle.directory).as_posix() for p in bundle.directory.rglob("*") if p.is_file()}
    assert files == {
        "manifest.json",
        "weights.safetensors",
        "README.md",
        "configs/metadata.json",
        "configs/inference.json",
    }
    assert set(bundle.manifest.files) == files - {"manifest.json"}
    assert bundle.model_card == "# tiny\n"


def test_network_comes_back_in_float32_within_half_precision(tmp_path: Path) -> None:
    manifest = tiny_manifest()
    torch.manual_seed(3)
    network = build_network(manifest.network.name, dict(manifest.network.arguments))
    labels = torch.zeros(1, 16, 64, 64)
    labels[:, 3] = 1
    z = torch.randn(1, 8)
    normalised = write_bundle(tmp_path / "a", manifest, network.eval().state_dict(), "card")
    expected = network(labels, z)
    folded = write_bundle(tmp_path / "b", manifest, fold_spectral_norm(network).state_dict(), "card")
    for written in (normalised, folded):
        loaded = written.load_network()
        assert not loaded.training
        assert {p.dtype for p in loaded.parameters()} == {torch.float32}
        assert not any(p.requires_grad for p in loaded.parameters())
        assert not any("parametrizations" in name for name in loaded.state_dict())
        assert (loaded(labels, z) - expected).abs().max() < 0.01


def test_matrices_are_stored_in_half_precision_and_statistics_are_not(bundle: Bundle) -> None:
    from safetensors import safe_open

    with safe_open(str(bundle.directory / "weights.safetensors"), "pt") as file:
        kinds = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    assert all(value.dtype is torch.float16 for value in kinds.values() if value.ndim >= 2)
    assert all(value.dtype is torch.float32 for name, value in kinds.items() if name.endswith("running_var"))


def test_loading_does_not_move_the_random_state(bundle: Bundle) -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    bundle.load_network()
    torch.testing.assert_close(torch.rand(2), expected)


def test_diverged_weights_are_not_written(tmp_path: Path) -> None:
    for bad in (float("nan"), float("inf"), 1e6):
        with pytest.raises(MedUSISError, match="half precision"):
            write_bundle(tmp_path / "tiny", tiny_manifest(), {"a": torch.full((2, 2), bad)}, "card")
    assert list(tmp_path.iterdir()) == []


def test_rewriting_replaces_the_whole_bundle(tmp_path: Path) -> None:
    first = tiny_bundle(tmp_path / "tiny", seed=0)
    (first.directory / "old.txt").write_text("old")
    second = tiny_bundle(tmp_path / "tiny", seed=1)
    assert first.sha256 != second.sha256
    assert not (second.directory / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
    with pytest.raises(MedUSISError, match="exists already"):
        write_bundle(tmp_path / "tiny", tiny_manifest(), {}, "card", overwrite=False)


def test_extra_files_are_hashed_and_cannot_leave_the_bundle(tmp_path: Path) -> None:
    picture = tmp_path / "grid.png"
    picture.write_bytes(b"\x89PNG picture")
    state = {"a": torch.zeros(2)}
    bundle = write_bundle(tmp_path / "x", tiny_manifest(), state, "card", {"images/grid.png": picture, "n.txt": "n"})
    assert {"images/grid.png", "n.txt"} <= set(bundle.manifest.files)
    for name in ("../x.txt", "/x.txt", "a\\b.txt", "C:x.txt", "manifest.json", "README.md"):
        with pytest.raises(MedUSISError):
            write_bundle(tmp_path / "y", tiny_manifest(), state, "card", {name: "x"})
    assert not (tmp_path / "y").exists()


def test_damaged_file_is_refused(bundle: Bundle) -> None:
    weights = bundle.directory / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "SHA-256" in refused(bundle.directory)


def test_missing_file_is_refused(bundle: Bundle) -> None:
    (bundle.directory / "README.md").unlink()
    assert "README.md" in refused(bundle.directory)


def test_link_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    card = bundle.directory / "README.md"
    card.rename(tmp_path / "elsewhere.md")
    card.symlink_to(tmp_path / "elsewhere.md")
    assert "link" in refused(bundle.directory)


def test_pickle_is_refused_whatever_it_is_called(bundle: Bundle, tmp_path: Path) -> None:
    for name in ("weights.pt", "innocent.md", "model.ckpt"):
        path = bundle.directory / name
        path.write_bytes(pickle.dumps({"a": 1}))
        assert "pickle" in refused(bundle.directory)
        path.unlink()
    torch.save({"a": torch.zeros(1)}, bundle.directory / "extra.txt")
    assert "pickle" in refused(bundle.directory)


def test_pickle_named_by_the_manifest_is_refused(bundle: Bundle) -> None:
    from MedUSISLib.generators.bundle import sha256_of_file

    path = bundle.directory / "weights.safetensors"
    path.write_bytes(pickle.dumps({"a": np.zeros(3)}))
    rewrite_manifest(bundle, files=bundle.manifest.files | {"weights.safetensors": sha256_of_file(path)})
    assert "pickle" in refused(bundle.directory)


def test_unnamed_weights_are_refused(bundle: Bundle) -> None:
    weights = bundle.directory / "weights.safetensors"
    (bundle.directory / "weights2.safetensors").write_bytes(weights.read_bytes())
    assert "does not name" in refused(bundle.directory)


def test_operating_systems_may_add_their_files(bundle: Bundle) -> None:
    (bundle.directory / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    assert verify_bundle(bundle.directory).sha256 == bundle.sha256


def test_weights_that_do_not_fit_are_refused(bundle: Bundle) -> None:
    arguments = bundle.manifest.network.arguments | {"widths": [32, 16, 16, 16]}
    rewrite_manifest(bundle, network={"name": "wavelet_generator", "arguments": arguments})
    assert "do not fit" in refused(bundle.directory)
    rewrite_manifest(bundle, network={"name": "no_such_network", "arguments": {}})
    assert "do not fit" in refused(bundle.directory)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../up"},
        {"id": "With Space"},
        {"version": "one"},
        {"spatial_dims": 4},
        {"format": 2},
        {"surprise": 1},
        {"intensity": {"minimum": 1.0, "maximum": 1.0}},
        {"grid": {"spacing_mm": [1, 1, 0], "size": [64, 64]}},
        {"grid": {"size": [64, 64, 64]}},
        {"grid": {"slice_axis": "coronal", "views": ["axial"]}},
        {"files": {"../weights.safetensors": "0" * 64}},
        {"files": {"manifest.json": "0" * 64}},
    ],
)
def test_invalid_manifest_is_refused(bundle: Bundle, changes: dict[str, object]) -> None:
    rewrite_manifest(bundle, **changes)
    assert "not valid" in refused(bundle.directory)


def test_unreadable_manifest_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.directory / "manifest.json").write_text("{not json")
    refused(bundle.directory)
    (bundle.directory / "manifest.json").unlink()
    refused(bundle.directory, ErrorCode.GENERATOR_NOT_FOUND)


def test_file_names_that_leave_the_folder_are_refused() -> None:
    for name in ("a/b.json", "weights.safetensors", "configs/metadata.json"):
        check_file_name(name)
    for name in ("", "/a", "a/../b", "..", "a//b", "a\\b", "c:a", "con", "aux.txt", "a\nb", "a/b/c/d/e", "./a"):
        with pytest.raises(ValueError):
            check_file_name(name)


def test_manifest_survives_its_own_json() -> None:
    manifest = tiny_manifest(results={"psnr": 25.1}, known_limits=("adults only",))
    assert Manifest.model_validate_json(manifest.to_json()) == manifest


def test_three_dimensional_grid_needs_three_sizes() -> None:
    with pytest.raises(ValidationError):
        tiny_manifest(spatial_dims=3)
    assert tiny_manifest(spatial_dims=3, grid=GridDescription(size=(32, 32, 32))).spatial_dims == 3


def test_catalogue_finds_by_id_and_names_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(tmp_path))
    assert user_generator_directory() == tmp_path
    made = tiny_bundle(tmp_path / "tiny")
    tiny_bundle(tmp_path / "net", id="net", kind="segmentator")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{}")
    (tmp_path / ".installing-x").mkdir()
    assert load_bundle("tiny").sha256 == load_bundle(tmp_path / "tiny").sha256 == made.sha256
    assert "tiny" in {entry.id for entry in available_generators()}
    assert "net" not in {entry.id for entry in available_generators()}
    assert "net" in {entry.id for entry in available_generators("segmentator")}
    assert {entry.id: entry.problem for entry in available_bundles()}["broken"]
    with pytest.raises(MedUSISError) as caught:
        load_bundle("tinny")
    assert caught.value.code is ErrorCode.GENERATOR_NOT_FOUND and "tiny" in caught.value.hint
    with pytest.raises(MedUSISError, match="is a segmentator"):
        load_bundle("net", kind="generator")


def test_catalogue_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from MedUSISLib.generators.catalogue import available_bundles; "
        "from MedUSISLib.generators.bundle import verify_bundle; "
        f"verify_bundle({str(tiny_bundle(tmp_path / 'tiny').directory)!r}); available_bundles(); "
        "assert not {'torch', 'SimpleITK', 'monai'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_monai_reads_the_bundle(bundle: Bundle) -> None:
    parser = pytest.importorskip("monai.bundle").ConfigParser()
    parser.read_config(str(bundle.directory / "configs" / "inference.json"))
    parser.read_meta(str(bundle.directory / "configs" / "metadata.json"))
    parser["bundle_root"] = str(bundle.directory)
    parser["device"] = "$torch.device('cpu')"
    network = parser.get_parsed_content("network_def")
    assert isinstance(network, torch.nn.Module) and not network.training
    formats = parser["_meta_"]["network_data_format"]
    assert formats["inputs"]["labels"]["num_channels"] == 16
    assert formats["outputs"]["image"]["spatial_shape"] == [64, 64]
    required = {"version", "changelog", "monai_version", "pytorch_version", "numpy_version", "task", "description"}
    assert required <= set(parser["_meta_"])


def test_network_name_is_checked_when_read(bundle: Bundle) -> None:
    assert read_manifest(bundle.directory).network == NetworkDescription(
        name="wavelet_generator", arguments=bundle.manifest.network.arguments
    )
