"""The methods of a routed service: which names lead to it, what shape each has, and what policy may read of a request."""

from __future__ import annotations

import re
from typing import Any

from gateway.config import RouteConfig
from gateway.descriptors import Descriptors
from gateway.routes import Action, Kind, Method

_NAME = re.compile(r"/((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)/([A-Za-z_]\w*)", re.ASCII)
_LENGTH = 200
"""Characters of the longest method name that is looked at: names of methods that nobody described are the caller's words."""


class RoutedService:
    """Implements `gateway.targets.Routed`.

    Without descriptors every method may stream both ways: on the wire all four shapes are the same. With them a method has its
    own shape, and what they do not name does not exist.
    """

    def __init__(self, config: RouteConfig, descriptors: Descriptors | None = None) -> None:
        """Raises ValueError where `descriptors` lack a configured method."""
        self._target = config.name
        self._patterns = config.methods
        self._descriptors = descriptors
        self._methods: dict[str, Method] = {}
        self._services: frozenset[str] = frozenset()
        if descriptors is None:
            exact = [pattern for pattern in config.methods if not pattern.endswith("/*")]
            self._methods = {f"/{name}": self._undescribed(f"/{name}", name) for name in exact}
            self._services = frozenset(each[:-2] for each in config.methods if each.endswith("/*"))
        else:
            self._methods = self._described(config, descriptors)

    @property
    def names(self) -> tuple[str, ...]:
        return self._patterns

    @property
    def revision(self) -> str:
        return "" if self._descriptors is None else self._descriptors.revision

    @property
    def repeatable(self) -> bool:
        """Whether any method is known to take one request message, which can be sent again."""
        return any(not method.streams_request for method in self._methods.values())

    @property
    def answers_stream(self) -> bool:
        """Whether any method may answer with more than one message."""
        return bool(self._services) or any(method.streams_response for method in self._methods.values())

    @property
    def example(self) -> Method:
        if self._methods:
            return next(iter(self._methods.values()))
        service = min(self._services)
        return self._undescribed(f"/{service}/Probe", f"{service}/*")

    def method(self, name: str) -> Method | None:
        if (known := self._methods.get(name)) is not None:
            return known
        if not self._services or len(name) > _LENGTH or (match := _NAME.fullmatch(name)) is None:
            return None
        service = match[1]
        return self._undescribed(name, f"{service}/*") if service in self._services else None

    def arguments(self, method: Method, request: bytes) -> dict[str, Any] | None:
        if self._descriptors is None or method.streams_request:
            return None
        return self._descriptors.arguments(method.name, request)

    def _undescribed(self, name: str, label: str) -> Method:
        return Method(name, Kind.SERVICE, Action.CALL, True, True, self._target, f"/{label}")

    def _described(self, config: RouteConfig, descriptors: Descriptors) -> dict[str, Method]:
        found = {}
        for pattern in config.methods:
            for shape in descriptors.shapes(pattern):
                found[shape.name] = Method(
                    shape.name,
                    Kind.SERVICE,
                    Action.CALL,
                    shape.streams_response,
                    shape.streams_request,
                    self._target,
                    shape.name,
                )
        return found
