"""Where a derived object comes from, in the words of DICOM: notice, generator, equipment, references to the CT."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from MedUSISLib import __version__
from MedUSISLib.dicom.attributes import PATIENT, STUDY
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE

MANUFACTURER = "MedUSIS"
SERIES_NUMBERS = {"mr": 9001, "uncertainty": 9002, "noise_spread": 9003, "mask_consistency": 9004, "labels": 9005}
"""Far above what a scanner counts to, so that derived series come last in a list."""

_TITLES = {
    "mr": "SYNTHETIC MR",
    "uncertainty": "SYNTHETIC MR uncertainty",
    "noise_spread": "SYNTHETIC MR noise spread",
    "mask_consistency": "SYNTHETIC MR mask consistency",
    "labels": "SYNTHETIC MR input labels",
}
_WHAT = {
    "mr": "MR synthesized from CT and its segmentation",
    "uncertainty": "Variance of the synthetic MR over dropout passes",
    "noise_spread": "Variance of the synthetic MR over noise samples",
    "mask_consistency": "Where the body of the synthetic MR and of its input agree",
    "labels": "Labels that the synthetic MR was made from",
}
_CODE_STRING = re.compile("[A-Z0-9_ ]{1,16}")
# Regions of a body whose image a face can be rendered from.
_FACES = ("head", "face", "whole")


@dataclass(frozen=True)
class Origin:
    """What one export says about itself.

    Attributes
    ----------
    generator, version, sha256 : str
        Of the generator that made the result.
    seed, passes : str
        Of the run.
    body_region : str
        Of the generator's label schema, "" when it is not known.
    faces : bool
        Whether a face may be recognised in the images.
    """

    generator: str
    version: str
    sha256: str
    seed: str
    passes: str
    body_region: str
    faces: bool

    @classmethod
    def of(cls, provenance: dict[str, Any], body_region: str) -> Origin:
        """From provenance.json."""
        generator = provenance.get("generator") or {}
        return cls(
            _plain(generator.get("id", "unknown"))[:64],
            _plain(generator.get("version", "unknown"))[:32],
            _plain(generator.get("sha256", ""))[:64],
            _plain(provenance.get("seed", ""))[:20],
            _plain(provenance.get("passes", ""))[:20],
            body_region,
            not body_region or any(word in body_region.lower() for word in _FACES),
        )

    @property
    def software(self) -> Any:
        """Versions, at most 64 characters each."""
        return [f"MedUSIS {__version__}"[:64], f"{self.generator} {self.version}"[:64]]

    @property
    def serial_number(self) -> str:
        """A generator has no serial number; its hash says which one it is."""
        return self.sha256 or "unknown"

    def description(self, name: str) -> str:
        """SeriesDescription of a map: at most 64 characters, SYNTHETIC first.

        Examples
        --------
        >>> Origin("head-t1w", "1.0.0", "", "0", "8", "head", True).description("mr")
        'SYNTHETIC MR - not for diagnosis (head-t1w 1.0.0)'
        """
        return f"{_TITLES[name]} - not for diagnosis ({self.generator} {self.version})"[:64].rstrip()

    def derivation(self, name: str) -> str:
        """DerivationDescription of a map."""
        text = (
            f"{_WHAT[name]}; {SYNTHETIC_NOTICE}. MedUSIS {__version__}, generator {self.generator} {self.version}, "
            f"SHA-256 {self.sha256 or 'unknown'}, seed {self.seed}, passes {self.passes}"
        )
        return text[:1024]


def equipment(origin: Origin, header: Any) -> list[Any]:
    """Contributing Equipment: MedUSIS with the generator, and the scanner where its name is known."""
    from highdicom import ContributingEquipment
    from pydicom.sr.codedict import codes

    items = [
        ContributingEquipment(
            manufacturer=MANUFACTURER,
            purpose_of_reference=codes.DCM.ModifyingEquipment,
            manufacturer_model_name=origin.generator,
            software_versions=origin.software,
            device_serial_number=origin.serial_number,
            contribution_description=f"{SYNTHETIC_NOTICE}: generator {origin.generator} {origin.version}",
        )
    ]
    if header.get("Manufacturer"):
        items.append(
            ContributingEquipment(
                manufacturer=str(header.Manufacturer),
                purpose_of_reference=codes.DCM.AcquisitionEquipment,
                manufacturer_model_name=_text(header.get("ManufacturerModelName")),
                software_versions=_texts(header.get("SoftwareVersions")),
                contribution_description="CT that the synthetic MR was made from",
            )
        )
    return items


def mark(dataset: Any, origin: Origin, name: str, header: Any) -> None:
    """Write into a derived object, of whatever kind, whose it is, and what: synthetic, not for diagnosis, by whom."""
    for keyword in (*PATIENT, *STUDY):
        if keyword in header:
            dataset[keyword] = header[keyword]
    dataset.SeriesDescription = origin.description(name)
    dataset.ImageComments = SYNTHETIC_NOTICE
    dataset.DerivationDescription = origin.derivation(name)
    dataset.SyntheticData = "YES"
    dataset.BurnedInAnnotation = "NO"
    if origin.faces:
        dataset.RecognizableVisualFeatures = "YES"
    if str(header.get("LossyImageCompression", "")) == "01":
        for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if keyword in header:
                dataset[keyword] = header[keyword]
    regions = (str(header.get("BodyPartExamined") or "").upper(), origin.body_region.upper().replace(" ", ""))
    region = next((one for one in regions if _CODE_STRING.fullmatch(one)), "")
    if region:
        dataset.BodyPartExamined = region
    dataset.ContributingEquipmentSequence = equipment(origin, header)


def source_image(header: Any) -> Any:
    """A reference to the CT slice that a slice was made from."""
    from highdicom.sr import CodedConcept
    from pydicom import Dataset
    from pydicom.sr.codedict import codes

    item = _reference(header)
    item.SpatialLocationsPreserved = "YES"
    item.PurposeOfReferenceCodeSequence = [
        CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation),
    ]
    assert isinstance(item, Dataset)
    return item


def referenced_series(headers: Sequence[Any]) -> Any:
    """The CT series with these slices, for ReferencedSeriesSequence."""
    from pydicom import Dataset

    item = Dataset()
    item.SeriesInstanceUID = headers[0].SeriesInstanceUID
    item.ReferencedInstanceSequence = [_reference(header) for header in headers]
    return item


def evidence(headers: Sequence[Any]) -> Any:
    """Study and series of these slices, for SourceImageEvidenceSequence."""
    from pydicom import Dataset

    series = Dataset()
    series.SeriesInstanceUID = headers[0].SeriesInstanceUID
    series.ReferencedSOPSequence = [_reference(header) for header in headers]
    item = Dataset()
    item.StudyInstanceUID = headers[0].StudyInstanceUID
    item.ReferencedSeriesSequence = [series]
    return item


def _reference(header: Any) -> Any:
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item


def _plain(value: Any) -> str:
    """As text without control characters and without the backslash, which parts values in DICOM."""
    return "".join(c if c.isprintable() and c != "\\" else "?" for c in str(value))


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _texts(value: Any) -> list[str] | None:
    if not value:
        return None
    return [value] if isinstance(value, str) else [str(part) for part in value]
