"""A pod's volumes as the kubelet makes them: what is projected is swapped as a whole, by one symbolic link."""

from __future__ import annotations

import base64
import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Object = dict[str, Any]
Find = Callable[[str, str], Object]
"""The object of a kind and a name; raises KeyError."""
Token = Callable[[str, int], str]
"""A service account's token for an audience, good for so many seconds."""

_DATA = "..data"


class Projected:
    """The folder of a volume whose files come from objects; they are replaced in one step, as by the kubelet."""

    def __init__(self, folder: Path, mode: int) -> None:
        """`mode` is that of each file."""
        self.folder = folder
        self._mode = mode
        self._versions = itertools.count(1)
        self._written: Mapping[str, bytes] = {}
        folder.mkdir()

    def write(self, files: Mapping[str, bytes]) -> None:
        """Puts these files, by their paths, in the place of all that were there."""
        if files == self._written:
            return
        version = self.folder / f"..{next(self._versions)}"
        for path, content in files.items():
            self._put(version / path, content)
        before = (self.folder / _DATA).resolve() if self._written else None
        self._swap(version.name)
        self._link(files)
        if before is not None:
            shutil.rmtree(before)
        self._written = dict(files)

    def _put(self, file: Path, content: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(self._mode)

    def _swap(self, version: str) -> None:
        coming = self.folder / "..data_tmp"
        coming.symlink_to(version)
        coming.replace(self.folder / _DATA)

    def _link(self, files: Mapping[str, bytes]) -> None:
        """Every name at the top is a link into ..data."""
        wanted = {path.partition("/")[0] for path in files}
        there = {entry.name for entry in self.folder.iterdir() if not entry.name.startswith("..")}
        for name in wanted - there:
            (self.folder / name).symlink_to(f"{_DATA}/{name}")
        for name in there - wanted:
            (self.folder / name).unlink()


def content(volume: Object, find: Find, token: Token) -> dict[str, bytes]:
    """The files of a volume of kind configMap, secret or projected, by path."""
    sources = volume["projected"]["sources"] if "projected" in volume else [volume]
    return dict(pair for source in sources for pair in _files(source, find, token))


def _files(source: Object, find: Find, token: Token) -> Iterator[tuple[str, bytes]]:
    if asked := source.get("serviceAccountToken"):
        yield asked["path"], token(asked["audience"], asked["expirationSeconds"]).encode()
    elif chosen := source.get("configMap"):
        data = find("ConfigMap", chosen["name"])["data"]
        yield from ((path, data[key].encode()) for key, path in _items(chosen, data))
    else:
        chosen = source["secret"]
        data = find("Secret", chosen.get("secretName") or chosen["name"])["data"]
        yield from ((path, base64.b64decode(data[key])) for key, path in _items(chosen, data))


def _items(chosen: Object, data: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(item["key"], item["path"]) for item in chosen["items"]] if "items" in chosen else [(k, k) for k in data]


def in_memory(volume: Object) -> int:
    """Bytes of a volume of kind emptyDir; all of the charts' are in memory."""
    assert volume["emptyDir"]["medium"] == "Memory", "an emptyDir on a disk: none of the charts has one"
    number, unit = volume["emptyDir"]["sizeLimit"][:-2], volume["emptyDir"]["sizeLimit"][-2:]
    return int(number) * {"Mi": 1024**2, "Gi": 1024**3}[unit]


def mode(volume: Object) -> int:
    """The mode of a volume's files."""
    kind = next(volume[kind] for kind in ("projected", "configMap", "secret") if kind in volume)
    return int(kind.get("defaultMode", 0o644))
