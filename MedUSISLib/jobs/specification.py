"""A job as JSON: what Slicer, the command line, the batch runner and a cluster all write, and the child reads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from json import JSONDecodeError
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.kinds import KINDS, JobKind
from MedUSISLib.plain_reasons import plain_reasons
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json

FORMAT_VERSION = 1
_CORRECT = "correct it; docs/jobs.md says what a job is, `python -m MedUSISLib.jobs schema` all its settings"


class JobSpecification(BaseModel):
    """One job: its kind and the parameters of that kind.

    Examples
    --------
    >>> job = JobSpecification(kind="segment", parameters={"ct": "ct.nii.gz", "out": "seg.nii.gz"})
    >>> job.request().tool
    'head-seg'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = Field(default=1, description="format of this file")
    kind: str = Field(description="what to do: synthesize, segment, train, ..., see jobs.kinds")
    parameters: dict[str, Any] = Field(description="the request of that kind, see the exported schema")

    @classmethod
    def of(cls, kind: str, request: BaseModel) -> JobSpecification:
        """A specification from a validated request."""
        return cls(kind=kind, parameters=request.model_dump(mode="json"))

    @classmethod
    def read(cls, path: str | Path) -> JobSpecification:
        """Read a job file.

        Raises
        ------
        MedUSISError
            BAD_SETTING when it cannot be read or is no job.
        """
        try:
            return cls.model_validate(parse_json(read_small_file(path)))
        except OSError as error:
            hint = "check the path; a job is a file of JSON"
            raise MedUSISError(ErrorCode.BAD_SETTING, "the job file cannot be read", hint, path) from error
        except ValidationError as error:
            raise bad_setting(error, "the job file is not valid", path=path) from error
        except ValueError as error:
            reason = "it is no JSON" if isinstance(error, JSONDecodeError) else str(error)
            what = f"the job file is not valid: {reason}"
            raise MedUSISError(ErrorCode.BAD_SETTING, what, _CORRECT, path) from error

    def job_kind(self, kinds: Mapping[str, JobKind] = KINDS) -> JobKind:
        """The kind of this job; BAD_SETTING when there is no such kind."""
        if self.kind not in kinds:
            known = ", ".join(sorted(kinds))
            message = f"there is no job of kind {self.kind[:40]!r}"
            raise MedUSISError(ErrorCode.BAD_SETTING, message, f"kinds are: {known}")
        return kinds[self.kind]

    def request(self, kinds: Mapping[str, JobKind] = KINDS) -> BaseModel:
        """The validated parameters; BAD_SETTING names each wrong one, without its value."""
        try:
            return self.job_kind(kinds).validated(self.parameters)
        except ValidationError as error:
            raise bad_setting(error, f"the settings of {self.kind} are not valid") from error


def bad_setting(error: ValidationError, what: str, path: str | Path | None = None) -> MedUSISError:
    """Pydantic's findings as one BAD_SETTING; values are left out, for they can be file names."""
    return MedUSISError(ErrorCode.BAD_SETTING, f"{what}: {'; '.join(plain_reasons(error))}", _CORRECT, path)


def json_schema(kinds: Mapping[str, JobKind] = KINDS) -> dict[str, Any]:
    """The JSON schema of a job file, with the parameters of every kind spelled out."""
    variants = [_spelled_out(kind) for _, kind in sorted(kinds.items())]
    union: Any = reduce(or_, variants)
    tagged: Any = Annotated[union, Field(discriminator="kind")] if len(variants) > 1 else union
    schema = TypeAdapter(tagged).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "MedUSIS job", **schema}


def _spelled_out(kind: JobKind) -> Any:
    """``JobSpecification`` narrowed to one kind."""
    fields: dict[str, Any] = {
        "version": (Literal[1], FORMAT_VERSION),
        "kind": (Literal[kind.name], ...),
        "parameters": (kind.request_type(), ...),
    }
    title = "".join(part.capitalize() for part in kind.name.split("-"))
    return create_model(f"{title}Job", __config__=ConfigDict(extra="forbid"), **fields)
