"""The services' environments: where they are, why one cannot be used, and how a missing one is made."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from cli.local.layout import Layout
from cli.local.logs import last_line
from cli.local.marks import Mark, environment_mark

Recipe = tuple[Mark, str | None]
"""What an environment is made from: the mark of its lock, and the Python that the service asks for."""


class Environments:
    """Makes them with the repository's own setup, where the configuration lies in one. `say` prints a line of progress."""

    def __init__(self, layout: Layout, say: Callable[[str], None]) -> None:
        self._layout = layout
        self._say = say
        self._recipes: dict[str, Recipe] = {}

    def folder(self, name: str) -> Path:
        return self._layout.envs / name

    def python(self, name: str) -> Path:
        """By where the name leads now: what is started goes on there when it leads to another one later."""
        return self.folder(name).resolve() / "bin" / "python"

    def mark(self, name: str) -> tuple[str, str] | None:
        return environment_mark(self.folder(name))

    async def why_not(self, name: str, recipe: Recipe) -> str:
        """Why the service cannot be started, or ""; makes its environment where there is none, or one of another `recipe`.

        What setup failed at before stands until the recipe changes: to do it again would take as long and fail alike.
        """
        before = self._recipes.setdefault(name, recipe)
        problem = self._problem(name)
        if before == recipe and (not problem or self._error(name).exists()):
            return problem
        self._recipes[name] = recipe
        if self._setup is None:
            return problem
        self._say(f"{name}: installing its environment")
        failed = await self._install(self._setup, name)
        problem = self._problem(name)
        return problem if self._error(name).exists() else failed or problem

    def _problem(self, name: str) -> str:
        error = self._error(name)
        if error.exists():
            return error.read_text().strip()
        if self.python(name).exists():
            return ""
        return f"its environment is not installed: run `python3 scripts/setup.py service {name}`"

    def _error(self, name: str) -> Path:
        return self._layout.envs / f"{name}.error"

    @property
    def _setup(self) -> Path | None:
        """The repository's own; it installs into the repository's state folder and into no other."""
        setup = self._layout.root / "scripts" / "setup.py"
        own = self._layout.envs == self._layout.root / ".firebreak" / "envs"
        return setup if own and setup.is_file() else None

    async def _install(self, setup: Path, name: str) -> str:
        """Why setup failed, or ""."""
        log = self._layout.logs / "setup.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(setup), "service", name,
                cwd=self._layout.root, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
        return f"its environment could not be made: {last_line(log)}" if code else ""
