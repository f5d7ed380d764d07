"""Every exception gets a name, an exit code and a message that names no file."""

from __future__ import annotations

import errno

import pytest

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.failures import EXIT_CODES, exit_code_of, named_error


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), ErrorCode.OUT_OF_MEMORY),
        (OutOfMemoryError("CUDA out of memory"), ErrorCode.OUT_OF_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ..."), ErrorCode.OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device", "/data/doe.nii"), ErrorCode.DISK_FULL),
        (RuntimeError("Found no NVIDIA driver on your system"), ErrorCode.DEVICE_NOT_AVAILABLE),
        (ModuleNotFoundError("No module named 'monai.inferers'", name="monai.inferers"), ErrorCode.DEPENDENCY_MISSING),
        (ModuleNotFoundError("No module named 'MedUSISLib.x'", name="MedUSISLib.x"), ErrorCode.INTERNAL),
        (KeyboardInterrupt(), ErrorCode.CANCELLED),
        (ValueError("/data/doe.nii is bad"), ErrorCode.INTERNAL),
        (PermissionError(errno.EACCES, "Permission denied", "/data/doe.nii"), ErrorCode.BAD_SETTING),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/data/doe.nii"), ErrorCode.BAD_SETTING),
        (OSError(errno.EIO, "Input/output error", "/data/doe.nii"), ErrorCode.BAD_SETTING),
        (RuntimeError("Symlink loop from '/data/doe.nii'"), ErrorCode.BAD_SETTING),
        (ValueError("embedded null byte"), ErrorCode.BAD_SETTING),
        (SystemExit("/data/doe.nii"), ErrorCode.INTERNAL),
        (MedUSISError(ErrorCode.NOT_A_CT, "the CT has no air"), ErrorCode.NOT_A_CT),
    ],
)
def test_exception_is_named(error: BaseException, code: ErrorCode) -> None:
    named = named_error(error)
    assert named.code is code
    assert "doe.nii" not in str(named)


def test_a_full_disk_is_named_where_a_library_has_made_another_error_of_it() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/data/doe.ckpt")
        except OSError:
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")  # noqa: B904
    except RuntimeError as error:
        assert named_error(error).code is ErrorCode.DISK_FULL


def test_every_code_has_its_own_exit_code() -> None:
    assert set(EXIT_CODES) == set(ErrorCode)
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)
    assert all(0 < code < 256 for code in EXIT_CODES.values())


def test_internal_error_says_where_in_our_code() -> None:
    from MedUSISLib.resources import resource_path

    with pytest.raises(TypeError) as raised:
        resource_path(3)  # type: ignore[arg-type]
    named = named_error(raised.value)
    assert "TypeError in resources.py, line" in named.message
    assert exit_code_of(named) == 1
