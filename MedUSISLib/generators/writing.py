"""Writing a bundle: what training calls when a generator is finished."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle, sha256_of_file, verify_bundle
from MedUSISLib.generators.manifest import MANIFEST_NAME, Manifest, check_file_name
from MedUSISLib.generators.monai_files import inference_json, metadata_json
from MedUSISLib.generators.weights import save_weights
from MedUSISLib.leftovers import note

if TYPE_CHECKING:
    import torch

_OWN_FILES = frozenset(
    {MANIFEST_NAME, "README.md", "weights.safetensors", "configs/metadata.json", "configs/inference.json"}
)


def write_bundle(
    directory: str | Path,
    manifest: Manifest,
    state_dict: Mapping[str, torch.Tensor],
    model_card: str,
    extra_files: Mapping[str, str | bytes | Path] | None = None,
    overwrite: bool = True,
) -> Bundle:
    """Write a complete bundle folder, atomically: it is there and verified, or nothing has changed.

    Parameters
    ----------
    directory : str or Path
        Folder of the bundle, usually named after ``manifest.id``; its parents are made.
    manifest : Manifest
        ``files`` is filled in here, whatever it holds.
    state_dict : mapping of str to torch.Tensor
        Weights for ``build_network(manifest.network.name, manifest.network.arguments)``, spectral norm folded away
        (``fold_spectral_norm``) or not. Stored in half precision, see ``weights.save_weights``.
    model_card : str
        Markdown, becomes README.md.
    extra_files : mapping of str to str, bytes or Path, optional
        Further files by their name in the bundle, for example the card's pictures.
    overwrite : bool
        Replace a bundle that is there.

    Raises
    ------
    MedUSISError
        BAD_SETTING for weights that are not finite, a bad file name, or an existing folder without ``overwrite``.
    """
    target = Path(directory)
    if target.exists() and not overwrite:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "the folder for the generator exists already", "choose another one", path=target
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
    note(staged)
    try:
        (staged / "configs").mkdir()
        save_weights(staged / "weights.safetensors", state_dict)
        _write(staged / "README.md", model_card)
        _write(staged / "configs" / "metadata.json", metadata_json(manifest))
        _write(staged / "configs" / "inference.json", inference_json(manifest))
        for name, content in (extra_files or {}).items():
            _write_extra(staged, name, content)
        files = {
            path.relative_to(staged).as_posix(): sha256_of_file(path)
            for path in sorted(staged.rglob("*"))
            if path.is_file()
        }
        # model_copy does not validate: go through the model once more
        complete = Manifest.model_validate({**manifest.model_dump(), "files": files})
        _write(staged / MANIFEST_NAME, complete.to_json())
        verify_bundle(staged)
        staged.chmod(0o755)
        for path in staged.rglob("*"):  # safetensors writes its files for the owner alone; a shipped bundle is for all
            path.chmod(0o755 if path.is_dir() else 0o644)
        replace_directory(staged, target)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return verify_bundle(target)


def replace_directory(staged: Path, target: Path) -> None:
    """Put a finished folder in the place of another (or of nothing); the old one comes back when that fails."""
    if not target.exists():
        staged.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=".replaced-", dir=target.parent))
    old.rmdir()
    target.rename(old)
    try:
        staged.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write_extra(staged: Path, name: str, content: str | bytes | Path) -> None:
    try:
        check_file_name(name)
    except ValueError as error:
        raise MedUSISError(ErrorCode.BAD_SETTING, f"'{name}': {error}") from None
    if name in _OWN_FILES:
        raise MedUSISError(ErrorCode.BAD_SETTING, f"'{name}' is written by the bundle itself")
    path = staged / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    else:
        _write(path, content)


def _write(path: Path, content: str | bytes) -> None:
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
