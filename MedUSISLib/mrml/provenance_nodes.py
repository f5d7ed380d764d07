"""How an output came to be: provenance.json as a text node, and what matters most as attributes of every output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from MedUSISLib.mrml.result_nodes import SynthesisNodes
from MedUSISLib.mrml.text_nodes import fill_text
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE


def fill_provenance(node: Any, provenance: Mapping[str, Any]) -> None:
    """Put provenance.json into a text node."""
    fill_text(node, json.dumps(provenance, indent=2, ensure_ascii=False) + "\n", "json")


def key_attributes(provenance: Mapping[str, Any]) -> dict[str, str]:
    """What every output carries wherever it is copied to; no word of it comes from the patient.

    Examples
    --------
    >>> key_attributes({"seed": 3})["MedUSIS.Seed"]
    '3'
    """
    generator = provenance.get("generator") or {}
    software = provenance.get("software") or {}
    values = {
        "MedUSIS.Notice": SYNTHETIC_NOTICE,
        "MedUSIS.Generator": generator.get("id"),
        "MedUSIS.GeneratorVersion": generator.get("version"),
        "MedUSIS.GeneratorSHA256": generator.get("sha256"),
        "MedUSIS.Seed": provenance.get("seed"),
        "MedUSIS.Passes": provenance.get("passes"),
        "MedUSIS.Mode": provenance.get("mode"),
        "MedUSIS.Truncation": provenance.get("truncation"),
        "MedUSIS.Created": provenance.get("created"),
        "MedUSIS.Version": software.get("medusis"),
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def set_attributes(nodes: SynthesisNodes, provenance: Mapping[str, Any]) -> None:
    """Mark every output with its origin."""
    attributes = key_attributes(provenance)
    for node in nodes.present().values():
        for name, value in attributes.items():
            node.SetAttribute(name, value)


def provenance_of(nodes: SynthesisNodes) -> dict[str, Any]:
    """provenance.json again; empty when the text node is gone or was changed."""
    if nodes.provenance is None:
        return {}
    try:
        value = json.loads(nodes.provenance.GetText())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
