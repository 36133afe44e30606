"""The command `firebreak chart`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cli.output import Exit, err, fail, out, print_json, stopping

if TYPE_CHECKING:
    from cli.chart.files import Values
    from cli.chart.making import Maker

CONFIG = Path("firebreak.yaml")


def _names(incomplete: str) -> list[str]:
    """What can be completed: the gateway, and every service in the folder that one is in."""
    from cli.chart.sources import known

    return [name for name in known(CONFIG) if name.startswith(incomplete)]


def chart(
    name: Annotated[
        str | None, typer.Argument(help="A service in services/, or gateway.", autocompletion=_names)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All services of the configuration, and the gateway.")] = False,
    umbrella: Annotated[bool, typer.Option("--umbrella", help="All in one file, for charts/firebreak.")] = False,
    target: Annotated[
        Path | None,
        typer.Option("--out", help="File to write, with --all a folder. Default: standard output; charts/values."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 and a diff where a file is stale.")
    ] = False,
    image: Annotated[
        str | None, typer.Option(metavar="REPO", help="The image's repository; {name} stands for the name.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="The image's tag. Default: the service's version.")] = None,
    config: Annotated[Path, typer.Option(help="The gateway's configuration.")] = CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the values file with which a Helm chart installs a service or the gateway, from its configuration.

    What somebody chose in a file that is there (image, cidrs, secret, replicas, …) stays; the rest is made anew.

    Examples: firebreak chart calculator --out charts/values/calculator.yaml; firebreak chart gateway | less;
    firebreak chart --all --image registry.example.org/firebreak-{name}; firebreak chart calculator --check
    """
    _agree(name, every, umbrella, image, tag)
    # Imported here: what serves one command stays off the others' start.
    from cli.chart.image import Image
    from cli.chart.making import Maker
    from cli.chart.text import ChartError

    try:
        made = _made(
            Maker(config, Image(image, tag, every or umbrella)),
            name,
            every,
            umbrella,
            _place(name, every, target, check, config),
        )
        with stopping():
            _check(made, as_json) if check else _write(made, as_json)
        _note(name, umbrella, config)
    except (ChartError, OSError) as error:
        fail(str(error), Exit.FAILED)


def _agree(name: str | None, every: bool, umbrella: bool, image: str | None, tag: str | None) -> None:
    from cli.chart.image import PLACE

    if (name is not None) + every + umbrella != 1:
        fail("name a service or gateway, or use --all or --umbrella: one of them", Exit.USAGE)
    if name is None and image is not None and PLACE not in image:
        fail(f"--image is for several here: write {PLACE} where the name belongs", Exit.USAGE)
    if "" in (image, tag):
        fail("--image and --tag cannot be empty", Exit.USAGE)


def _place(name: str | None, every: bool, target: Path | None, check: bool, config: Path) -> Path | None:
    """The file or folder; None is standard output."""
    from cli.chart.files import FOLDER

    if target is not None or not (every or check):
        return target
    folder = config.parent / FOLDER
    return folder if every else folder / f"{name or 'firebreak'}.yaml"


def _made(maker: Maker, name: str | None, every: bool, umbrella: bool, place: Path | None) -> list[Values]:
    if every:
        assert place is not None  # a folder has a default
        return maker.every(place)
    return [maker.umbrella(place) if umbrella or name is None else maker.one(name, place)]


def _write(made: Sequence[Values], as_json: bool) -> None:
    from cli.chart.files import write

    for values in made:
        if values.file is not None:
            write(values.file, values.text)
    if as_json:
        print_json([_as_dict(values) for values in made])
        return
    for values in made:
        if values.file is None:
            sys.stdout.write(values.text)
            sys.stdout.flush()
        else:
            out.print(f"{escape(str(values.file))}: written")
    err.print("to install, in this folder:")
    for command in dict.fromkeys(command for values in made for command in values.install):
        err.print(f"  {escape(command)}")


def _check(made: Sequence[Values], as_json: bool) -> None:
    stale = {str(values.file): diff for values in made if (diff := values.stale())}
    if as_json:
        print_json({"stale": stale})
    else:
        sys.stdout.write("".join(stale.values()))
    if stale:
        err.print(
            f"[red]stale:[/red] {escape(', '.join(stale))}; the same command without --check, with --out, makes it anew"
        )
        raise SystemExit(int(Exit.FAILED))


def _note(name: str | None, umbrella: bool, config: Path) -> None:
    """What the gateway's values leave out, and what the umbrella chart would."""
    from cli.chart.gateway import notes
    from cli.chart.names import GATEWAY
    from cli.chart.sources import configuration, strangers

    if name not in (None, GATEWAY):
        return
    loaded = configuration(config)
    unknown = strangers(loaded) if umbrella else []
    missing = [f"charts/firebreak has no dependency {each}: add it to Chart.yaml, with this alias" for each in unknown]
    for note in (*notes(loaded), *missing):
        err.print(f"[yellow]note:[/yellow] {escape(note)}")


def _as_dict(values: Values) -> dict[str, Any]:
    file = str(values.file) if values.file is not None else None
    return {"name": values.name, "file": file, "install": list(values.install), "values": values.content}
