"""What a service may reach and use beside the gateway, and the probes that prove what it may not."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from gateway.config.values import Config, Name, Size

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TO = re.compile(rf"(?:(https?)://)?(\*\.)?({_LABEL}(?:\.{_LABEL})*)(?::([1-9]\d{{0,4}}))?")
_NAME_BYTES = 253
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"https": 443, "http": 80}
_PRINCIPAL = r"^[a-z][a-z0-9+.-]*:[^\s]{1,200}$"
PROBE, STRANGER = "firebreak:probe", "firebreak:stranger"
"""Principals that no issuer can make: who probes are made as, and somebody whom no grant names."""


class Egress(Config):
    """A host that a service may reach: "docs.example.org" (https), "*.example.org" for all below it, "http://example.org",
    "https://example.org:8443".

    With `private` it may be at an address of this machine or of a private network; never at a link-local or metadata address.
    """

    to: str
    private: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"to": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _is_a_host(self) -> Self:
        match = _TO.fullmatch(self.to)
        if match is None or not 0 < int(match[4] or 1) < 65536:
            raise ValueError('is not written like "example.org", "*.example.org" or "https://example.org:8443"')
        if len(match[3]) + len(match[2] or "") > _NAME_BYTES:
            raise ValueError("has a name that is too long")
        if _NUMBER.fullmatch(match[3].rpartition(".")[2]):
            self._is_an_address(match[3], below=match[2] is not None)
        return self

    @staticmethod
    def _is_an_address(host: str, below: bool) -> None:
        """What ends in a number is read as an address by some, in forms that others do not know: only one form is taken."""
        try:
            IPv4Address(host)
        except ValueError:
            raise ValueError("ends in a number, but is no IPv4 address") from None
        if below:
            raise ValueError("nothing is below an address")

    @property
    def _parts(self) -> tuple[str | None, str | None, str, str | None]:
        match = _TO.fullmatch(self.to)
        assert match is not None  # checked when it was made
        return match[1], match[2], match[3], match[4]

    @property
    def scheme(self) -> str:
        return self._parts[0] or "https"

    @property
    def host(self) -> str:
        return self._parts[2]

    @property
    def port(self) -> int:
        return int(self._parts[3] or _PORTS[self.scheme])

    @property
    def below(self) -> bool:
        """Whether it stands for every host below `host`, and not for `host` itself."""
        return self._parts[1] is not None


class Sandbox(Config):
    """Bounds of a whole service: its host, what workers are forked from, and the workers.

    `memory` is None where it follows from the workers' own. `cpus` are cores' worth of time, `processes` counts threads too,
    `scratch` bounds /tmp, which is its home as well.
    """

    memory: Size | None = None
    cpus: float = Field(default=1.0, gt=0, le=1024)
    processes: int = Field(default=256, ge=16, le=1_000_000)
    scratch: Size = 64 * 1024**2


_Args = Annotated[dict[str, Any], Field(max_length=64)]


class DenyProbe(Config):
    """A call of the principal `as` that policy must deny. It is judged only, and never reaches the service.

    A tool gets `args`, an agent or a model `prompt`. With `action` "describe" the service is only asked what it is.
    """

    name: Name
    as_: Annotated[str, Field(pattern=_PRINCIPAL)] = Field(default=PROBE, alias="as")
    action: Literal["call", "describe"] = "call"
    args: _Args | None = None
    prompt: str | None = None

    @model_validator(mode="after")
    def _describe_takes_nothing(self) -> Self:
        if self.action == "describe" and (self.args is not None or self.prompt is not None):
            raise ValueError("action: describe takes neither args nor a prompt")
        return self


class AllowProbe(DenyProbe):
    """A call that policy must allow and the service must answer, with `expect` in the answer's text. It is made for real."""

    expect: str = ""


class Probes(Config):
    """Calls with which the gateway proves, at start and then periodically, that policy is in force for a service."""

    allow: tuple[AllowProbe, ...] = Field(default=(), strict=False)
    deny: tuple[DenyProbe, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for probes in (self.allow, self.deny):
            names = [probe.name for probe in probes]
            if len(set(names)) < len(names):
                raise ValueError("two probes have the same name")
        return self
