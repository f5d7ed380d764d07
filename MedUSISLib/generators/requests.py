"""What a user asks for when a generator is to be installed or devices are to be listed; light, nothing is loaded."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DevicesRequest(BaseModel):
    """List what a network can run on; there is nothing to choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class InstallRequest(BaseModel):
    """Install a generator for this user; the fields are those of ``install_generator``.

    Examples
    --------
    >>> InstallRequest(source="https://example.org/head-t1w.zip").replace
    False
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(min_length=1, description="a bundle folder, a zip file that holds one, or an https URL of such")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-fA-F]{64}$", description="expected SHA-256 of the zip file"
    )
    replace: bool = Field(default=False, description="replace another version of the same generator")
    accept: str | None = Field(
        default=None,
        pattern=r"^(yes|[0-9a-f]{64})$",
        description="terms that were accepted: the sha256 that came with them, or yes; else they are told instead",
    )
