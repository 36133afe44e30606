"""`python -m cli.egress_pod --service FILE --sockets FOLDER`: the egress proxy beside one service in a pod.

Reads the service.yaml FILE as the gateway does, writes what it may reach into FOLDER/lists.json, and becomes the proxy: the
process that strangers' servers talk to has no code of the configuration in it. The socket is FOLDER/NAME/egress.sock.
Exit code 2 where FILE is wrong, or may reach nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cli.egress_lists import egress_lists
from gateway.adapters.config_files.lines import read
from gateway.adapters.config_files.models import build
from gateway.config import ServiceConfig

WRONG_FILE = 2
LISTS = "lists.json"
"""No service has a name with a dot, and so none has a folder of this name."""


class WrongService(Exception):
    """There is nothing to run a proxy for; the text says why."""


def prepare(service: Path, sockets: Path) -> Path:
    """Writes the lists of one service.yaml and returns their file. Raises WrongService, OSError."""
    document = read(service, str(service))
    config = build(ServiceConfig, document)
    if config is None or document.problems:
        raise WrongService("\n".join(map(str, sorted(document.problems))))
    if not config.egress:
        raise WrongService(f"{service}: {config.name} declares no egress and needs no proxy")
    lists = sockets / LISTS
    lists.write_text(egress_lists([config]))
    return lists


def command(lists: Path, sockets: Path, grace: str) -> list[str]:
    """What this process becomes."""
    words = ("-I", "-m", "cli.egress", "--config", str(lists), "--sockets", str(sockets), "--grace", grace)
    return [sys.executable, *words]


def main(words: Sequence[str]) -> int:
    """Returns only where there is no proxy to run."""
    parser = argparse.ArgumentParser(
        prog="python -m cli.egress_pod", description="The egress proxy of the one service of a pod."
    )
    parser.add_argument("--service", type=Path, required=True, help="its service.yaml")
    parser.add_argument("--sockets", type=Path, required=True, help="the folder that both containers have")
    parser.add_argument("--grace", default="0", help="seconds that open connections get when it is asked to end")
    given = parser.parse_args(words)
    try:
        become = command(prepare(given.service, given.sockets), given.sockets, given.grace)
        os.execv(become[0], become)  # noqa: S606 - in place of this process, which is the container's first
    except (WrongService, OSError) as error:
        print(error, file=sys.stderr)
        return WRONG_FILE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
