"""The journal: what it keeps, where, and for how long."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from gateway.config.values import Config, Duration, Size


class Recording(StrEnum):
    """How much of a content the journal keeps: all of it, all but secrets and marks of persons, a keyed hash, or its size."""

    FULL = "full"
    MASKED = "masked"
    HASHED = "hashed"
    NONE = "none"


_Recording = Annotated[Recording, BeforeValidator(lambda v: Recording(v) if isinstance(v, str) else v)]


class Recorded(Config):
    """What the journal keeps of one target's calls: `requests` are prompts and arguments, `answers` what came back.

    `mask` are further names of fields, at any depth of the JSON, whose values are masked.
    """

    requests: _Recording = Recording.MASKED
    answers: _Recording = Recording.MASKED
    mask: tuple[str, ...] = Field(default=(), strict=False)


class Retention(Config):
    """How long the journal keeps what: `content` (prompts, arguments, answers), `person` (who, and what policy saw), and the
    `record` itself. When the journal holds more than `size`, the oldest contents go first, then the oldest rows.
    """

    content: Duration = 30 * 86400.0
    person: Duration = 90 * 86400.0
    record: Duration = 365 * 86400.0
    size: Size = 8 * 1024**3

    @model_validator(mode="after")
    def _parts_go_first(self) -> Self:
        # Whose content it is says the person part: without it nobody could have the content erased.
        if not self.content <= self.person <= self.record:
            raise ValueError("content is kept no longer than person, and person no longer than record")
        return self


class Journal(Config):
    """The record of every call.

    `mode` "required": a call fails rather than go unrecorded, and its record is durable before its answer leaves, for which
    it waits at most `timeout`. "best-effort": calls never wait; what could not be kept is counted and told. `store`
    "sqlite" keeps it in the file `path`, "postgresql" in the database whose connection string is in the file `dsn_file`.
    `heads` is a folder beside it that remembers where each chain ended, so that a shortened one is noticed. `buffer`
    bounds the memory for what waits to be written. Contents larger than `inline` are kept once, by their hash.
    """

    mode: Literal["required", "best-effort", "none"] = "best-effort"
    store: Literal["sqlite", "postgresql"] = "sqlite"
    path: str = ".firebreak/journal/journal.db"
    dsn_file: str | None = None
    heads: str = ".firebreak/journal/heads"
    timeout: Duration = 5.0
    buffer: Size = 64 * 1024**2
    inline: Size = 4 * 1024
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _database_is_named(self) -> Self:
        if self.mode != "none" and self.store == "postgresql" and self.dsn_file is None:
            raise ValueError("store: postgresql needs dsn_file, a file with the connection string")
        return self

    @model_validator(mode="after")
    def _inline_fits(self) -> Self:
        if self.inline > self.buffer:
            raise ValueError("inline is more than buffer")
        return self
