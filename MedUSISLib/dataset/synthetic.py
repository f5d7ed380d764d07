"""Is this an image that MedUSIS made? Training on one's own inventions must not happen by accident."""

from __future__ import annotations

from MedUSISLib.dataset.items import Item
from MedUSISLib.imaging.itk_paths import itk_path
from MedUSISLib.imaging.text_headers import check_text_header

# Part of what every output carries (`synthesis.result.SYNTHETIC_NOTICE`), in whatever field the format has for it.
_WORDS = ("synthetic", "not for diagnosis")
_DICOM_TEXTS = ["ImageComments", "SeriesDescription", "DerivationDescription"]


def is_synthetic(item: Item) -> bool:
    """True when the header carries the notice of synthetic images; False also where it cannot be read."""
    try:
        text = _header_text(item).lower()
    except Exception:  # headers are damaged in many ways; reading the voxels tells which
        return False
    return all(word in text for word in _WORDS)


def _header_text(item: Item) -> str:
    if item.files:
        import pydicom

        header = pydicom.dcmread(item.files[0], stop_before_pixels=True, specific_tags=_DICOM_TEXTS)
        return " ".join(str(header.get(name, "")) for name in _DICOM_TEXTS)
    if item.format == "nii":
        from MedUSISLib.imaging.nifti import read_nifti_description

        return read_nifti_description(item.path)
    import SimpleITK as sitk

    check_text_header(item.path, "an image")
    reader = sitk.ImageFileReader()
    reader.SetFileName(itk_path(item.path, "an image"))
    reader.ReadImageInformation()
    return " ".join(reader.GetMetaData(key) for key in reader.GetMetaDataKeys())
