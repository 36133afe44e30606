"""Opens the journal that a configuration names; what is wrong is said in words, with an exit code."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import Exit, err, fail, stopping

if TYPE_CHECKING:
    from gateway.adapters.journal.author import Author
    from gateway.adapters.journal.reading.reader import Reader
    from gateway.adapters.journal.store import Store
    from gateway.config import Journal

Config = Annotated[Path, typer.Option(help="The gateway's configuration.")]
CONFIG = Path("firebreak.yaml")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a configuration keeps its journal. `longest` is the number of seconds that a call may take."""

    settings: Journal
    root: Path
    longest: float

    @property
    def heads(self) -> Path:
        return self.root / self.settings.heads

    @property
    def name(self) -> str:
        """For people: the file, or the kind of database whose address is a secret."""
        return self.settings.path if self.settings.store == "sqlite" else self.settings.store

    def opener(self, *, durable: bool = False) -> Callable[[], Store]:
        """Opens the store, in another process too. Raises StoreError."""
        from gateway.adapters.journal.databases.open import open_store

        return partial(open_store, self.settings, self.root, durable=durable)


def locate(config: Path) -> Place:
    """The journal of the configuration file `config`; ends the program where there is none."""
    # Imported here: what serves one command stays off the others' start.
    from gateway.adapters.config_files import ConfigError, load

    try:
        loaded = load(config)
    except ConfigError as error:
        fail(str(error), Exit.USAGE)
    place = Place(loaded.config.journal, loaded.root, loaded.config.admission.max_deadline)
    _expect(place, config)
    return place


def _expect(place: Place, config: Path) -> None:
    """Opening would make an empty journal: whoever asks for one that is not there has most likely the wrong file."""
    settings = place.settings
    if settings.mode == "none":
        fail(f"{config} says journal.mode: none, so no call is recorded; set it to best-effort or required", Exit.USAGE)
    if settings.store == "sqlite" and not (place.root / settings.path).exists():
        fail(
            f"there is no journal at {settings.path} yet: it begins when the gateway starts, for instance by `make run`. "
            "If it is elsewhere, name the gateway's configuration with --config",
            Exit.FAILED,
        )


@contextmanager
def reading(config: Path) -> Iterator[Reader]:
    """A reader of the journal of `config`, with every error told."""
    from gateway.adapters.journal.reading.reader import Reader

    place = locate(config)
    with telling(), opened(place) as store:
        yield Reader(store, place.longest)


@contextmanager
def opened(place: Place, *, durable: bool = False) -> Iterator[Store]:
    store = place.opener(durable=durable)()
    try:
        yield store
    finally:
        store.close()


@contextmanager
def writing(place: Place, command: str) -> Iterator[tuple[Author, Store]]:
    """The store, and an author with a chain of its own that says which command wrote it."""
    from gateway.adapters.journal.author import Author, new_writer
    from gateway.adapters.journal.heads import Heads

    with opened(place, durable=True) as store:
        heads = Heads(place.heads)
        author = Author(store, new_writer(), time.time, heads)
        try:
            author.start({"command": command, "host": socket.gethostname(), "pid": os.getpid()})
            yield author, store
            author.stop()
        finally:
            heads.close()
        if author.unnoted:
            err.print(f"[yellow]warning:[/yellow] {author.unnoted}")


@contextmanager
def telling() -> Iterator[None]:
    """Turns what goes wrong with the journal into words and an exit code."""
    from gateway.adapters.journal.reading.reader import NotFoundError
    from gateway.adapters.journal.store import StoreError

    try:
        with stopping():
            yield
    except NotFoundError as error:
        fail(str(error), Exit.FAILED)
    except StoreError as error:
        fail(f"the journal cannot be used: {error}", Exit.UNREACHABLE if error.passing else Exit.FAILED)
    except OSError as error:
        fail(str(error), Exit.FAILED)
