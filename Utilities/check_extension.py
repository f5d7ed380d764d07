"""Hold this checkout against the rules of Slicer's Extensions Index, without a network.

    python Utilities/check_extension.py             # what is wrong, and what is left for the release
    python Utilities/check_extension.py --release   # what is left for the release is wrong too

Exit code 0 when nothing is wrong, else 1. Needs git and the standard library only.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARKS = {"ok": "  ok      ", "release": "  RELEASE ", "wrong": "  WRONG   "}


def main(arguments: list[str] | None = None) -> int:
    """Print what each rule found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", action="store_true", help="what is left for the release counts as wrong")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout; this one by default")
    options = parser.parse_args(arguments)

    if str(ROOT / "Utilities") not in sys.path:
        sys.path.insert(0, str(ROOT / "Utilities"))
    from extension_rules import entry, readme, repository, sources
    from extension_rules.checkout import Checkout

    checkout = Checkout(options.root.resolve())
    wrong = 0
    for rules in (entry, repository, readme, sources):
        for finding in rules.check(checkout):
            broken = finding.level == "wrong" or (options.release and finding.level == "release")
            wrong += broken
            print(MARKS[finding.level] + finding.rule + (f": {finding.text}" if finding.text else ""))
    print(f"{wrong} wrong" if wrong else "nothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
