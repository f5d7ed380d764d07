"""A verified bundle: the only way from a folder on disk to a network that runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.manifest import MANIFEST_NAME, Manifest, read_manifest
from MedUSISLib.generators.weights import is_pickle, read_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

_READ_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Bundle:
    """A generator (or segmentator) on disk whose files have all been checked against its manifest.

    Attributes
    ----------
    directory : Path
    manifest : Manifest
    sha256 : str
        Of ``manifest.json``. Since the manifest holds the SHA-256 of every other file, it identifies the whole bundle.
    """

    directory: Path
    manifest: Manifest
    sha256: str

    @property
    def model_card(self) -> str:
        """The text of README.md, empty without one."""
        path = self.directory / "README.md"
        return path.read_text(encoding="utf-8") if "README.md" in self.manifest.files else ""

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The weights as float32 tensors on the CPU."""
        return read_weights([self.directory / name for name in weight_names(self.manifest)])

    def load_network(self, device: str | torch.device = "cpu") -> nn.Module:
        """Build the network and load its weights: evaluation mode, float32, spectral norm folded away, no gradients.

        Raises
        ------
        MedUSISError
            GENERATOR_CORRUPT when the weights do not fit the network that the manifest describes.
        """
        import torch

        from MedUSISLib.networks.factory import build_network
        from MedUSISLib.networks.spectral_norm import fold_spectral_norm

        state = self.state_dict()
        description = self.manifest.network
        try:
            normalised = any(".parametrizations." in name for name in state)
            # Without fresh weights, which would be thrown away: drawing those of 54 M took 0.6 s, and moved the random
            # numbers of whoever computes in another thread meanwhile.
            with torch.device("meta"):
                network = build_network(description.name, dict(description.arguments), folded=not normalised)
            network.load_state_dict(state, strict=True, assign=True)
            if normalised:
                fold_spectral_norm(network)
        except MedUSISError:
            raise
        except Exception as error:
            raise MedUSISError(
                ErrorCode.GENERATOR_CORRUPT,
                f"the weights of the generator '{self.manifest.id}' do not fit its network '{description.name}'",
                "install the generator again, or a version that fits this MedUSIS",
                path=self.directory,
            ) from error
        network.eval()
        network.requires_grad_(False)
        return network.to(device)


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def weight_names(manifest: Manifest) -> list[str]:
    """Names of the weight files, in the order in which they are read."""
    return sorted(name for name in manifest.files if name.startswith("weights") and name.endswith(".safetensors"))


def verify_bundle(directory: str | Path) -> Bundle:
    """Check every file of a bundle folder against its manifest, without loading torch.

    Files that the manifest does not name are left alone (an operating system adds such), except pickles and further
    weights: those make the bundle corrupt.

    Raises
    ------
    MedUSISError
        GENERATOR_NOT_FOUND or GENERATOR_CORRUPT, naming the file inside the bundle and what is wrong with it.
    """
    folder = Path(directory)
    manifest = read_manifest(folder)
    if not weight_names(manifest):
        raise _corrupt(folder, "it has no weights (weights*.safetensors)")
    for name, expected in manifest.files.items():
        path = folder / name
        if path.is_symlink() or any(parent.is_symlink() for parent in _parents_inside(folder, path)):
            raise _corrupt(folder, f"'{name}' is a link")
        if not path.is_file():
            raise _corrupt(folder, f"'{name}' is missing")
        if is_pickle(path):
            raise _corrupt(folder, f"'{name}' is a pickle, which MedUSIS never loads")
        try:
            found = sha256_of_file(path)
        except OSError:
            raise _corrupt(folder, f"'{name}' cannot be read") from None
        if found != expected:
            raise _corrupt(folder, f"'{name}' is damaged: its SHA-256 is not the manifest's")
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name in manifest.files or name == MANIFEST_NAME or not path.is_file():
            continue
        if path.suffix.lower() == ".safetensors" or is_pickle(path):
            raise _corrupt(folder, "it holds weights or a pickle that its manifest does not name")
    return Bundle(directory=folder, manifest=manifest, sha256=sha256_of_file(folder / MANIFEST_NAME))


def load_bundle(path_or_id: str | Path, kind: str | None = None) -> Bundle:
    """Find a bundle by its folder or id, and verify it.

    Parameters
    ----------
    path_or_id : str or Path
        A bundle folder, or the id of a bundled or installed one, for example ``"head-t1w"``.
    kind : {"generator", "segmentator"}, optional
        Refuse a bundle of another kind.

    Raises
    ------
    MedUSISError
        GENERATOR_NOT_FOUND with the ids that there are, GENERATOR_CORRUPT.
    """
    from MedUSISLib.generators.catalogue import find_bundle

    return require_kind(verify_bundle(find_bundle(path_or_id)), kind)


def require_kind(bundle: Bundle, kind: str | None) -> Bundle:
    """The bundle itself; GENERATOR_NOT_FOUND when it is of another kind than the one that was asked for, if any."""
    if kind is not None and bundle.manifest.kind != kind:
        raise MedUSISError(
            ErrorCode.GENERATOR_NOT_FOUND,
            f"'{bundle.manifest.id}' is a {bundle.manifest.kind}, not a {kind}",
            "list the installed ones with: medusis generators list",
        )
    return bundle


def _parents_inside(folder: Path, path: Path) -> list[Path]:
    return [parent for parent in path.parents if parent != folder and folder in parent.parents]


def _corrupt(folder: Path, reason: str) -> MedUSISError:
    return MedUSISError(
        ErrorCode.GENERATOR_CORRUPT,
        f"the generator is not intact: {reason}",
        "install the generator again",
        path=folder,
    )
