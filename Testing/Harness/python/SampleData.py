"""`import SampleData`: registering and loading sample data, from local files only; nothing is ever downloaded."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import slicer
import slicer.util


def _as_list(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] * count


@dataclass
class SampleDataSource:
    """One data set: as many URIs as file names, node names and checksums."""

    sampleName: str | None = None
    sampleDescription: str | None = None
    uris: Any = None
    fileNames: Any = None
    nodeNames: Any = None
    checksums: Any = None
    loadFiles: Any = None
    customDownloader: Callable[[Any], Any] | None = None
    thumbnailFileName: str | None = None
    loadFileTypes: Any = None
    loadFileProperties: Any = None

    def __post_init__(self) -> None:
        self.uris = _as_list(self.uris, 1)
        for name in ("fileNames", "nodeNames", "checksums", "loadFiles", "loadFileTypes"):
            values = _as_list(getattr(self, name), len(self.uris))
            if len(values) != len(self.uris):
                raise ValueError(f"All fields of sample data source must have the same length: {name}")
            setattr(self, name, values)
        self.loadFileProperties = self.loadFileProperties or {}


class SampleDataLogic:
    """Finds registered samples and loads them."""

    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str) -> None:
        if not hasattr(slicer.modules, "sampleDataSourceCategories"):
            slicer.modules.sampleDataSourceCategories = {}
        slicer.modules.sampleDataSourceCategories[category] = {"title": title}

    @staticmethod
    def registerCustomSampleDataSource(category: str = "Custom", **fields: Any) -> None:
        """The keywords of `SampleDataSource`. Raises TypeError for others, as Slicer does."""
        if fields.get("thumbnailFileName") and not Path(fields["thumbnailFileName"]).is_file():
            raise FileNotFoundError(f"thumbnail of sample data: {fields['thumbnailFileName']}")
        sources = SampleDataLogic.sampleDataSourcesByCategory().setdefault(category, [])
        source = SampleDataSource(**fields)
        if source not in sources:
            sources.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category: str | None = None) -> Any:
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        sources = slicer.modules.sampleDataSources
        return sources if category is None else sources.get(category, [])

    def __init__(self, logMessage: Callable[..., None] | None = None) -> None:
        self.logMessage = logMessage

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        sources = (source for group in self.sampleDataSourcesByCategory().values() for source in group)
        return next((source for source in sources if source.sampleName == sampleName), None)

    def downloadFileIntoCache(self, uri: str, name: str, checksum: str | None = None, force: bool = False) -> str:
        """Copy a local file into the cache and check it. Raises ValueError for http(s) and for a wrong checksum."""
        parts = urlparse(uri)
        if parts.scheme not in ("", "file"):
            raise ValueError(f"nothing is downloaded in tests: {uri}")
        target = Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()) / name
        shutil.copyfile(unquote(parts.path), target)
        if checksum:
            algorithm, _, digest = checksum.partition(":")
            if hashlib.new(algorithm.lower(), target.read_bytes()).hexdigest() != digest.lower():
                raise ValueError(f"the checksum of {name} is not the registered one")
        return str(target)

    def downloadFromSource(self, source: SampleDataSource) -> list[Any]:
        """The loaded nodes; paths for files that are not to be loaded."""
        if source.customDownloader is not None:
            return source.customDownloader(source)
        results: list[Any] = []
        fields = (source.uris, source.fileNames, source.nodeNames, source.checksums, source.loadFiles)
        for *names, file_type in zip(*fields, source.loadFileTypes, strict=True):
            uri, file_name, node_name, checksum, load = names
            path = self.downloadFileIntoCache(uri, file_name, checksum)
            scene = path.endswith((".mrml", ".mrb"))
            if load is False or (load is None and (scene or path.endswith(".zip"))):
                results.append(path)
                continue
            properties = dict(source.loadFileProperties)
            if node_name:
                properties["name"] = node_name
            results.append(slicer.util.loadNodeFromFile(path, file_type, properties))
        return results

    def downloadSamples(self, sampleName: str) -> list[Any]:
        source = self.sourceForSampleName(sampleName)
        if source is None:
            raise RuntimeError(f"There is no sample data {sampleName}")
        return self.downloadFromSource(source)

    def downloadSample(self, sampleName: str) -> Any:
        return self.downloadSamples(sampleName)[0]


def downloadSample(sampleName: str) -> Any:
    return SampleDataLogic().downloadSample(sampleName)


def downloadSamples(sampleName: str) -> list[Any]:
    return SampleDataLogic().downloadSamples(sampleName)
