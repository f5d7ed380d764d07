"""Headers without who the patient is: PS3.15 Annex E, Basic Application Level Confidentiality Profile.

Derived objects hold the closed list ``attributes.COPIED`` and what MedUSIS itself writes. So what the profile has to
act on is known beforehand; whatever it removes or replaces is in the three tables below. No option of the profile is
applied. Recognisable features in the voxels are not in its scope: a face can be rendered from an image of a head.
"""

from __future__ import annotations

import secrets
from typing import Any

from MedUSISLib.dicom.attributes import EQUIPMENT, PATIENT, STUDY

EMPTIED = ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID",
           "AccessionNumber", "PositionReferenceIndicator")  # fmt: skip
"""Type 2: they have to be there, and stay empty."""

NEW_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
"""Replaced, the same ones by the same ones within an export: the files of an export still belong together."""

REMOVED = tuple(
    keyword
    for keyword in (*PATIENT, *STUDY, *EQUIPMENT, "BodyPartExamined")
    if keyword not in (*EMPTIED, *NEW_UIDS, "PatientName", "PatientID")
)

METHOD = "MedUSIS: closed list of attributes, PS3.15 Basic Profile"
NO_DATE, NO_TIME = "19000101", "000000"
"""Stands for the date of the export where the standard wants one: the profile removes every date."""


class Deidentifier:
    """Takes the person out of headers; one of them serves one export.

    The patient is called ``MEDUSIS-`` and twelve random digits: a result can be told from another one, and nothing
    leads from the name back to the person. The new UIDs are random, too.
    """

    def __init__(self) -> None:
        from pydicom.uid import generate_uid

        self._new_uid = lambda: generate_uid(prefix=None)
        self._uids: dict[str, str] = {}
        self._pseudonym = f"MEDUSIS-{secrets.randbelow(10**12):012d}"

    def clean(self, header: Any) -> Any:
        """The same header, changed."""
        from highdicom.sr import CodedConcept
        from pydicom.sr.codedict import codes

        for keyword in REMOVED:
            if keyword in header:
                delattr(header, keyword)
        for keyword in EMPTIED:
            setattr(header, keyword, "")
        for keyword in NEW_UIDS:
            setattr(header, keyword, self._uid(str(header.get(keyword))))
        header.PatientName = f"{self._pseudonym}^"  # the caret: a family name alone
        header.PatientID = self._pseudonym
        header.PatientIdentityRemoved = "YES"
        header.DeidentificationMethod = METHOD
        header.DeidentificationMethodCodeSequence = [
            CodedConcept.from_code(codes.DCM.BasicApplicationConfidentialityProfile)
        ]
        return header

    def _uid(self, original: str) -> str:
        return self._uids.setdefault(original, self._new_uid())


def clean_dates(dataset: Any) -> None:
    """Take the time of the export out of a finished object, and say so."""
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    for keyword in ("InstanceCreationDate", "InstanceCreationTime", "SeriesDate", "SeriesTime"):
        if keyword in dataset:
            delattr(dataset, keyword)
    if "ContentDate" in dataset:
        dataset.ContentDate, dataset.ContentTime = NO_DATE, NO_TIME
    for item in dataset.get("ContributingEquipmentSequence", []):
        if "ContributionDateTime" in item:
            del item.ContributionDateTime
