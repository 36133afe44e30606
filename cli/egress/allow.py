"""Where a service asks to go, and the entries of its list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cli.egress.addresses import Kind, kind
from cli.egress.answers import Answered
from cli.egress.hosts import bracketed, is_address

PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Target:
    """`scheme` is how it is asked for: "https" by CONNECT, "http" by a request. `host` is canonical."""

    scheme: str
    host: str
    port: int

    @property
    def place(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"

    @property
    def written(self) -> str:
        """As it would stand in a service.yaml."""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        scheme = "" if self.scheme == "https" and not port else f"{self.scheme}://"
        return f"{scheme}{bracketed(self.host)}{port}"


@dataclass(frozen=True)
class Entry:
    """`below` lets every host below `host` through, and `host` itself not. `private`: its addresses need not be public."""

    scheme: str
    host: str
    port: int
    below: bool = False
    private: bool = False

    def covers(self, target: Target) -> bool:
        if self.below:
            named = target.host.endswith("." + self.host) and not is_address(target.host)
        else:
            named = target.host == self.host
        return named and (self.scheme, self.port) == (target.scheme, target.port)


def permit(entries: Iterable[Entry], target: Target) -> Entry:
    """The entry that lets `target` through, the widest where there are several. Raises Answered."""
    covering = [entry for entry in entries if entry.covers(target)]
    if not covering:
        raise Answered(403, f"{target.place} is not on the list of this service", _how_to_add(target))
    return max(covering, key=lambda entry: entry.private)


def check(addresses: Iterable[str], entry: Entry, target: Target) -> None:
    """Raises Answered unless every one of a target's addresses may be connected to."""
    worst = max(map(kind, addresses))
    if worst is Kind.NEVER:
        raise Answered(
            403,
            f"{target.place} is at an address that is never reached",
            "It is link-local, multicast or of a cloud's metadata",
        )
    if worst is Kind.PRIVATE and not entry.private:
        raise Answered(403, f"{target.place} is at an address that is not public", _how_to_mean_it(target))


def _how_to_add(target: Target) -> str:
    if ":" in target.host:
        return "Ask for it by its name: lists have no IPv6 addresses"
    return f'To allow it, add to `egress:` in its service.yaml: "{target.written}"'


def _how_to_mean_it(target: Target) -> str:
    return f'If that is meant, write in `egress:` of its service.yaml: {{to: "{target.written}", private: true}}'
