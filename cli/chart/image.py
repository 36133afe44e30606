"""Where a container's image is: by default, as somebody has set it in the values file, or as was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PLACE = "{name}"
"""Stands for the service's name in a repository that is named for several."""


@dataclass(frozen=True)
class Image:
    """What was asked for; None leaves it as it is."""

    repository: str | None = None
    tag: str | None = None

    def of(self, name: str, usual: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """`usual`, over it what is `kept`, over that what was asked for. A new tag drops a digest, which counts more."""
        asked: dict[str, Any] = {}
        if self.repository is not None:
            asked["repository"] = self.repository.replace(PLACE, name)
        if self.tag is not None:
            asked |= {"tag": self.tag} | ({"digest": ""} if "digest" in kept else {})
        return {**usual, **kept, **asked}
