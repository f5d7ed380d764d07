"""Names of files on terminals: a name may hold anything, line breaks and sequences that move the cursor too."""

from __future__ import annotations


def printable(name: str) -> str:
    """A name on one line that every terminal can show: control characters and foreign bytes are spelled.

    Examples
    --------
    >>> printable("/data/a\\nb.nii")
    '/data/a\\\\nb.nii'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)
