"""The entry for the Index, and what the top CMakeLists.txt must say beside it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from .checkout import PLACEHOLDER, Checkout, Finding, judge
from .pictures import png_size

SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
FIELDS = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "dicom_support_rule": str,
    "enabled": bool,
    "tier": int,
}
"""What schema 1.0.2 knows, and its type; the first three are required and nothing else is allowed."""

CATEGORY = "Image Synthesis"
WANTED = ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS", "RECOMMENDS", "KEYWORDS")


def check(checkout: Checkout) -> Iterator[Finding]:
    """Entry, CMake variables, and whether the two agree."""
    entry, variables = checkout.entry, checkout.variables
    name = checkout.entry_path.stem
    content = checkout.entry_path.read_bytes()

    yield judge("the entry has LF line ends", ["CR"] if b"\r" in content else [])
    yield judge("the entry names schema 1.0.2", [s for s in [entry.get("$schema")] if s != SCHEMA])
    yield judge("the entry has what the schema requires", [f for f in list(FIELDS)[:3] if f not in entry])
    yield judge("the entry has nothing that the schema does not know", [f for f in entry if f not in FIELDS])
    yield judge("the entry's fields have the right type", [f for f, v in entry.items() if not _fits(f, v)])
    yield judge("the tier is 1 to 5", [t for t in [entry.get("tier", 1)] if not 1 <= t <= 5])
    yield judge("the category is one that the Index knows", [c for c in [entry["category"]] if c != CATEGORY])
    yield judge("the extension's name does not begin with Slicer", [name] if name.lower().startswith("slicer") else [])

    url = urlsplit(entry["scm_url"])
    repository = url.path.rstrip("/").split("/")[-1].removesuffix(".git")
    yield judge("the repository has a git or https URL", [] if url.scheme in ("git", "https") else [entry["scm_url"]])
    yield judge("the repository is called Slicer + name", [repository] if repository != f"Slicer{name}" else [])

    project = checkout.cmake.partition("project(")[2].partition(")")[0].split()
    yield judge("project() has the name of the entry", [] if project[:1] == [name] else project or ["no project()"])
    yield judge("CMake says everything about the extension", [v for v in WANTED if not variables.get(v)])
    yield judge("no semicolon in what CMake says", [v for v, text in variables.items() if ";" in text])
    depends = set(variables.get("DEPENDS", "").split()) - {"NA"}
    yield judge(
        "the entry and CMake name the same dependencies", sorted(depends ^ set(entry.get("build_dependencies", [])))
    )
    yield judge("the description is one to three sentences", _length(variables.get("DESCRIPTION", "")))
    homepage = f"https://github.com/{checkout.slug}"
    yield judge("the homepage is the repository", [h for h in [variables.get("HOMEPAGE")] if h != homepage])

    yield judge("icon and screenshots are PNG files of this repository", _broken_pictures(checkout))
    icon = checkout.file_of_url(variables.get("ICONURL", ""))
    size = png_size(icon) if icon else None
    yield judge("the icon is 128 x 128", [] if size == (128, 128) else [size])
    yield judge("there is a screenshot", [] if variables.get("SCREENSHOTURLS") else ["none"])
    yield judge(
        f"{PLACEHOLDER} is replaced by the account that publishes",
        sorted(v for v, text in {**variables, "scm_url": entry["scm_url"]}.items() if PLACEHOLDER in text),
        release=True,
    )


def _fits(field: str, value: object) -> bool:
    if field not in FIELDS:
        return True
    if FIELDS[field] is int and isinstance(value, bool):
        return False
    if isinstance(value, list):
        return FIELDS[field] is list and all(isinstance(item, str) for item in value)
    return isinstance(value, FIELDS[field])


def _length(description: str) -> list[str]:
    sentences = description.count(". ") + 1
    return [] if 1 <= sentences <= 3 and len(description) > 40 else [f"{sentences} sentences"]


def _broken_pictures(checkout: Checkout) -> Iterator[str]:
    variables = checkout.variables
    for url in (variables.get("ICONURL", "") + " " + variables.get("SCREENSHOTURLS", "")).split():
        file = checkout.file_of_url(url)
        if file is None:
            yield f"{url} is no raw URL of this repository and branch"
        elif not file.is_file():
            yield f"{file.relative_to(checkout.root)} is missing"
        elif png_size(file) is None:
            yield f"{file.relative_to(checkout.root)} is no PNG"
        elif file.relative_to(checkout.root).as_posix() not in checkout.tracked:
            yield f"{file.relative_to(checkout.root)} is not committed"
