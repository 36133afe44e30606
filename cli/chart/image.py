"""Where a container's image is: by default, as somebody has set it in the values file, or as was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.chart.names import GATEWAY

PLACE = "{name}"
"""Stands for the service's name in a repository that is named for several."""


@dataclass(frozen=True)
class Image:
    """What was asked for; None leaves it as it is."""

    repository: str | None = None
    tag: str | None = None
    every: bool = False
    """Asked for all images at once, the gateway's among them."""

    def of_gateway(self, usual: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """As `of`, for the gateway's image beside a service: what was asked for the service alone is not meant for it."""
        shared = self.repository if self.repository is not None and PLACE in self.repository else None
        return Image(shared, self.tag if self.every else None).of(GATEWAY, usual, kept)

    def of(self, name: str, usual: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """`usual`, over it what is `kept`, over that what was asked for. A new tag drops a digest, which counts more."""
        asked: dict[str, Any] = {}
        if self.repository is not None:
            asked["repository"] = self.repository.replace(PLACE, name)
        if self.tag is not None:
            asked |= {"tag": self.tag} | ({"digest": ""} if "digest" in kept else {})
        return {**usual, **kept, **asked}
