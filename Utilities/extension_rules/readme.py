"""What a person finds who opens the homepage of the extension."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .checkout import Checkout, Finding, judge
from .pictures import png_size


def check(checkout: Checkout) -> Iterator[Finding]:
    """Name, what it is for, picture, modules, tutorial with sample data, citation, licence."""
    text = checkout.text("README.md")
    sections = _sections(text)
    name = checkout.entry_path.stem
    yield judge("the README is headed by the extension's name", [] if text.startswith(f"# {name}\n") else [text[:20]])

    opening = text.split("\n\n")[1].replace("\n", " ")
    sentences = len(re.findall(r"[.:!](?:\s|$)", opening))
    yield judge("it begins with one or two sentences on what it is for", [] if 1 <= sentences <= 3 else [opening])

    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    broken = [p for p in pictures if png_size(checkout.root / p) is None]
    yield judge("it shows a picture", [] if pictures else ["none"])
    yield judge("its pictures are PNG files of this repository", broken)

    modules = sections.get("modules", "")
    yield judge(
        "it says what each module does",
        [m for m in checkout.modules if not re.search(rf"\*\*{m}\*\*[^\n]{{20,}}", modules)],
    )

    tutorial = next((body for title, body in sections.items() if "tutorial" in title), "")
    steps = re.findall(r"(?m)^\d+\. ", tutorial)
    yield judge("it has a tutorial, step by step", [] if len(steps) >= 4 else [f"{len(steps)} steps"])
    yield judge("the tutorial says where the sample data is", [] if "Sample Data" in tutorial else ["it does not"])
    yield judge("the tutorial has pictures", [] if "![" in tutorial else ["none"])

    citation = next((body for title, body in sections.items() if "cit" in title), "")
    yield judge("it says how to cite", [] if len(citation) > 40 else ["it does not"])
    licence = next((body for title, body in sections.items() if "licence" in title or "license" in title), "")
    yield judge("it names the licence", [] if "Apache" in licence else ["it does not"])


def _sections(text: str) -> dict[str, str]:
    """Headings of the second level in small letters, and what stands below each."""
    parts = re.split(r"(?m)^## (.+)$", text)
    return {title.strip().lower(): body for title, body in zip(parts[1::2], parts[2::2], strict=True)}
