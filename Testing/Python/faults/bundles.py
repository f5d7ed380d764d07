"""Generators: their folders, their zip files, their weights with hashes that fit, and what their manifests ask for."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from tiny_generator import tiny_bundle

from faults.byte_faults import spoil_bytes
from faults.kind import NAME, Kind
from faults.tree_faults import VALUES, Raw, spoil_json
from faults.zip_faults import spoil_zip
from MedUSISLib.generators.bundle import Bundle, verify_bundle
from MedUSISLib.generators.install import install_generator
from MedUSISLib.generators.pack import pack_bundle

_TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "<u1", "BOOL": "?", "I8": "<i1"}


def _make(folder: Path) -> None:
    tiny_bundle(folder / "tiny")


def _weights(folder: Path) -> Path:
    return next((folder / "tiny").glob("weights*.safetensors"))


def _spoil_files(random: Random, folder: Path) -> str:
    """Any file, without its hash."""
    files = sorted(path for path in (folder / "tiny").rglob("*") if path.is_file())
    path = random.choice(files)
    done = random.choice(("bytes", "bytes", "lost", "folder", "link", "empty", "extra"))
    if done == "bytes":
        content, done = spoil_bytes(random, path.read_bytes(), 2000)
        path.write_bytes(content)
    elif done == "extra":
        (folder / "tiny" / random.choice(("weights2.safetensors", "evil.pkl", "x.bin"))).write_bytes(b"\x80\x04x")
    else:
        path.unlink()
        if done == "folder":
            path.mkdir()
        elif done == "link":
            path.symlink_to("/etc/hostname")
        elif done == "empty":
            path.touch()
    return f"{path.name}: {done}"


def _spoil_weights(random: Random, folder: Path) -> str:
    """The weights, and their hash in the manifest with them: what a forger would do."""
    path = _weights(folder)
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    how = random.random()
    if how < 0.5:
        header, done = spoil_json(random, content[8 : 8 + length])
        content = struct.pack("<Q", len(header)) + header + content[8 + length :]
    elif how < 0.65:
        number = random.choice((0, 1, length - 1, length + 1, len(content), 2**40, 2**63, 2**64 - 1))
        content, done = struct.pack("<Q", number) + content[8:], f"length {number}"
    else:
        content, done = spoil_bytes(random, content, 8 + length)
    path.write_bytes(content)
    manifest = json.loads((folder / "tiny" / "manifest.json").read_bytes())
    manifest["files"][path.name] = hashlib.sha256(content).hexdigest()
    (folder / "tiny" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return done


def _spoil_arguments(random: Random, folder: Path) -> str:
    """What the manifest says of the network."""
    path = folder / "tiny" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    arguments = manifest["network"]["arguments"]
    key = random.choice([*arguments, "spatial_dims", "folded", "kernel", "grain_blocks"])
    values = [one for one in VALUES if not isinstance(one, Raw)] + [[16, 16], [10**9] * 4, [16] * 40, 10**7, 7, 64, 3]
    arguments[key] = value = random.choice(values)
    if random.random() < 0.3:
        manifest["network"]["name"] = random.choice(("oasis_generator", "unet_segmentator", "nobody", "discriminator"))
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return f"{key} = {str(value)[:40]}"


def _read(folder: Path) -> tuple[Bundle, Any]:
    bundle = verify_bundle(folder / "tiny")
    return bundle, bundle.load_network("cpu")


def _verify(folder: Path, value: Any) -> None:
    """The weights that were loaded are those in the file, read by the description of its format."""
    bundle, network = value
    said = _said(_weights(folder).read_bytes())
    taken = bundle.state_dict()
    assert set(taken) == set(said), "other weights than the file holds"
    for name, values in said.items():
        assert tuple(taken[name].shape) == values.shape, f"{name} has another shape"
        assert np.array_equal(taken[name].numpy(), values.astype(taken[name].numpy().dtype)), f"{name} has other values"
    for name, tensor in network.state_dict().items():
        assert not tensor.is_floating_point() or bool(torch.isfinite(tensor).all()), f"{name} is not finite"


def _said(content: bytes) -> dict[str, np.ndarray]:
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    said = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, _ = entry["data_offsets"]
            count = math.prod(entry["shape"])
            values = np.frombuffer(content, _TYPES[entry["dtype"]], count, 8 + length + start)
            said[name] = values.reshape(entry["shape"])
    return said


def _make_zip(folder: Path) -> None:
    pack_bundle(tiny_bundle(folder / "tiny"), folder / f"{NAME}.zip")


def _spoil_zip(random: Random, folder: Path) -> str:
    path = folder / f"{NAME}.zip"
    if random.random() < 0.6:
        return spoil_zip(random, path)
    content, done = spoil_bytes(random, path.read_bytes(), 200)
    path.write_bytes(content)
    return done


def _install(folder: Path) -> Bundle:
    try:
        return install_generator(folder / f"{NAME}.zip", folder / "installed", try_network=False)
    finally:  # whatever happened, nothing is left outside
        places = {path.name for path in folder.iterdir()}
        assert places <= {f"{NAME}.zip", "tiny", "installed"}, f"something was written beside: {places}"


def _verify_installed(folder: Path, bundle: Bundle) -> None:
    sound = verify_bundle(folder / "tiny")
    assert bundle.sha256 == sound.sha256, "another manifest"
    assert bundle.directory.parent == folder / "installed"
    for name in sound.manifest.files:
        assert (bundle.directory / name).read_bytes() == (folder / "tiny" / name).read_bytes(), f"{name} is another"


_CODES = ("GENERATOR_CORRUPT", "GENERATOR_NOT_FOUND")
KINDS = (
    Kind("generator folder", _make, _spoil_files, _read, _verify, codes=_CODES),
    Kind("safetensors", _make, _spoil_weights, _read, _verify, codes=_CODES),
    Kind("network arguments", _make, _spoil_arguments, _read, _verify, codes=_CODES),
    Kind("generator zip", _make_zip, _spoil_zip, _install, _verify_installed, codes=_CODES),
)
