"""From what was asked for to values files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.chart import files, gateway, install, names, service, sources
from cli.chart.files import Values
from cli.chart.image import Image
from cli.chart.service import Described, mapping
from cli.chart.text import Section, as_dict, as_text, nested, own
from gateway.adapters.config_files import Loaded

_UMBRELLA = """\
Made by `firebreak chart --umbrella` from firebreak.yaml and what it names: edit those and make it again. Each key is the
chart of that name in charts/firebreak, and below it is what `firebreak chart NAME` writes; what you set in there stays."""


@dataclass(frozen=True)
class Maker:
    """Makes values of what `config` names, with images as they were asked for."""

    config: Path
    image: Image

    def one(self, name: str, file: Path | None) -> Values:
        """Of a service or of the gateway, with what somebody chose in `file`. Raises ChartError."""
        if name == names.GATEWAY:
            return self._gateway(sources.configuration(self.config), file)
        return self._service(sources.one(name, self.config), file)

    def every(self, folder: Path) -> list[Values]:
        """Of all that the configuration names and of the gateway, a file each. Raises ChartError."""
        loaded = sources.configuration(self.config)
        made = [self._service(each, folder / f"{each.name}.yaml") for each in sources.every(loaded)]
        return [*made, self._gateway(loaded, folder / f"{names.GATEWAY}.yaml")]

    def umbrella(self, file: Path | None) -> Values:
        """Of the chart of charts: everything in one file. Raises ChartError."""
        loaded, kept = sources.configuration(self.config), files.kept(file)
        services = sources.every(loaded)
        parts = {names.GATEWAY_RELEASE: self._of_gateway(loaded, services, mapping(kept, names.GATEWAY_RELEASE))}
        parts |= {each.name: service.sections(each, self.image, mapping(kept, each.name)) for each in services}
        texts = [nested(key, sections) for key, sections in parts.items()]
        if rest := own(kept, frozenset(parts)):
            texts.append(as_text(rest))
        head = "".join(f"# {line}\n" for line in _UMBRELLA.splitlines())
        made = {key: as_dict(sections) for key, sections in parts.items()}
        return Values("firebreak", head + "\n" + "\n".join(texts), install.umbrella(made, file), file)

    def _service(self, described: Described, file: Path | None) -> Values:
        text = as_text(service.sections(described, self.image, files.kept(file)))
        return Values(described.name, text, install.service(described.name, file), file)

    def _gateway(self, loaded: Loaded, file: Path | None) -> Values:
        sections = self._of_gateway(loaded, sources.every(loaded), files.kept(file))
        return Values(names.GATEWAY, as_text(sections), install.gateway(as_dict(sections), file), file)

    def _of_gateway(self, loaded: Loaded, services: list[Described], kept: Mapping[str, Any]) -> list[Section]:
        return gateway.sections(loaded, services, self.image, kept)
