"""Which attributes of the CT go on into derived objects: a closed list, so that nothing else can slip through."""

from __future__ import annotations

PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "TypeOfPatientID", "PatientBirthDate", "PatientBirthTime",
    "PatientSex", "OtherPatientIDsSequence", "OtherPatientNames", "EthnicGroup", "PatientComments",
    "QualityControlSubject", "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName", "ClinicalTrialSiteID",
    "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID",
)  # fmt: skip
"""Patient and Clinical Trial Subject modules (PS3.3 C.7.1)."""

STUDY = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
    "IssuerOfAccessionNumberSequence", "StudyDescription", "PhysiciansOfRecord", "ProcedureCodeSequence",
    "PatientAge", "PatientSize", "PatientWeight", "PregnancyStatus", "MedicalAlerts", "Allergies", "SmokingStatus",
    "AdditionalPatientHistory", "ClinicalTrialTimePointID", "ClinicalTrialTimePointDescription",
    "LongitudinalTemporalInformationModified",
)  # fmt: skip
"""General Study, Patient Study and Clinical Trial Study modules (PS3.3 C.7.2)."""

TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName",
    "StudyID", "AccessionNumber", "PositionReferenceIndicator",
)  # fmt: skip
"""Must be there, and may be empty."""

PLACE = (
    "FrameOfReferenceUID", "PositionReferenceIndicator", "PatientPosition", "Rows", "Columns", "PixelSpacing",
    "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "SpacingBetweenSlices", "SliceLocation",
)  # fmt: skip
"""Where a slice lies: taken over digit by digit, so that a derived slice lies exactly on its source."""

INSTANCE = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Modality", "BodyPartExamined", "LossyImageCompression",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
"""What is referred to, and whether it went through lossy compression, which no later step undoes."""

EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions")
"""The scanner, for Contributing Equipment; its serial number, station and institution stay behind."""

COPIED = (*PATIENT, *STUDY, *PLACE, *INSTANCE, *EQUIPMENT)
