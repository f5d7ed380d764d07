"""The files that make a bundle a MONAI bundle too: ``configs/metadata.json`` and ``configs/inference.json``."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from MedUSISLib import __version__
from MedUSISLib.generators.manifest import Manifest


def metadata_json(manifest: Manifest) -> str:
    """MONAI's description of the model: task, data, channels and value ranges of inputs and outputs."""
    classes = int(manifest.network.arguments.get("number_of_classes", 1))
    shape = list(reversed(manifest.grid.size))
    onehot = {
        "type": "image",
        "format": "segmentation",
        "num_channels": classes,
        "spatial_shape": shape,
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": True,
        "channel_def": {},
    }
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": 1,
        "spatial_shape": shape,
        "dtype": "float32",
        "value_range": [-1, 1],
        "is_patch_data": True,
        "channel_def": {"0": manifest.modality},
    }
    inputs: dict[str, Any] = {"labels": onehot}
    outputs: dict[str, Any] = {"image": image}
    if manifest.kind == "generator" and manifest.noise.channels:
        inputs["noise"] = {
            "type": "tuples",
            "num_channels": manifest.noise.channels,
            "dtype": "float32",
            "value_range": [-manifest.noise.truncation, manifest.noise.truncation],
        }
    if manifest.kind == "segmentator":
        inputs, outputs = {"image": image}, {"labels": onehot}
    return _text(
        {
            "version": manifest.version,
            "changelog": {manifest.version: manifest.title or "first version"},
            "monai_version": _version("monai"),
            "pytorch_version": _version("torch").split("+")[0],
            "numpy_version": _version("numpy"),
            "required_packages_version": {"medusis": __version__, "safetensors": _version("safetensors")},
            "name": manifest.title or manifest.id,
            "task": "synthetic MR from a label map of a CT" if manifest.kind == "generator" else "segmentation",
            "description": manifest.intended_use,
            "authors": "",
            "copyright": manifest.licence,
            "data_source": "; ".join(f"{data.name} ({data.licence})" for data in manifest.training_data),
            "intended_use": manifest.intended_use,
            "network_data_format": {"inputs": inputs, "outputs": outputs},
        }
    )


def inference_json(manifest: Manifest) -> str:
    """A MONAI configuration: ``network_def`` is the verified network, ``run`` synthesizes one CT.

    ``python -m monai.bundle run --config_file configs/inference.json --bundle_root . --ct CT --segmentation SEG``
    """
    config: dict[str, Any] = {
        "imports": [
            "$import torch",
            "$from MedUSISLib.generators.bundle import load_bundle",
        ],
        "bundle_root": ".",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": "$load_bundle(@bundle_root).load_network(@device)",
    }
    if manifest.kind == "generator":
        config["imports"] += [
            "$from MedUSISLib.synthesis.engine import synthesize",
            "$from MedUSISLib.synthesis.request import SynthesisRequest",
        ]
        config |= {
            "ct": "",
            "segmentation": "",
            "output_dir": "$@bundle_root + '/eval'",
            "passes": 8,
            "seed": 0,
            "request": "$SynthesisRequest(ct=@ct, segmentation=@segmentation, out=@output_dir, "
            "generator=str(@bundle_root), passes=@passes, seed=@seed)",
            "run": ["$synthesize(@request)"],
        }
    return _text(config)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "0"
