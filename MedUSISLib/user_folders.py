"""Where this user's own generators and runs are kept: the platform's place for application data."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_folder(variable: str, name: str) -> Path:
    """Folder for one kind of data of this user; it need not exist yet.

    Parameters
    ----------
    variable : str
        Environment variable that names another folder.
    name : str
        Of the folder, within the place for application data.
    """
    chosen = os.environ.get(variable)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "MedUSIS" / name
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "MedUSIS" / name
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "medusis" / name
