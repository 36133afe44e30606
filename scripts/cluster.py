#!/usr/bin/env python3
"""A real Kubernetes of one node on this machine, for tests. Needs Linux, root and Go; nothing of it stays behind.

    python3 scripts/cluster.py programs      build and install what it needs, which takes minutes the first time
    python3 scripts/cluster.py run FOLDER    start it and print `ready`; it ends with Ctrl-C or when its input is closed
    python3 scripts/cluster.py images FOLDER NAME…
                                             build images of the gateway ("gateway"), of services, and of the programs
                                             that measure ("prometheus", "prometheus-adapter"), for any cluster

The folder of `run` holds everything of it: keys/admin.kubeconfig, logs/, and two programs. `enter COMMAND…` runs a command in
the node's network, where alone its address is known; `load ARCHIVE` gives it an image.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from one_node import images, programs
from one_node.kubernetes import Cluster
from packed import ToolError, say


def install() -> None:
    """Everything that a cluster needs; raises ToolError."""
    if os.geteuid() != 0:
        raise ToolError("a node needs namespaces, mounts and cgroups: run this as root.")
    programs.install_packages()
    programs.build_all()


def run(folder: Path) -> None:
    """Runs a cluster until its input is closed; raises ToolError."""
    install()
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(folder.resolve())
    try:
        cluster.start()
        cluster.write_doors()
        say("ready")
        print("ready", flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        pass
    finally:
        cluster.end()


def build_images(folder: Path, names: list[str]) -> None:
    """Writes FOLDER/NAME.tar with the image firebreak.test/NAME:test for each name; raises ToolError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        tag, archive = f"{images.REGISTRY}/{name}:test", folder / f"{name}.tar"
        if name in programs.MONITORING:
            images.build_program(programs.BIN / name, tag, archive)
        else:
            images.build(name, tag, archive)


def main(words: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        match words:
            case ["programs"]:
                install()
            case ["run", folder]:
                run(Path(folder))
            case ["images", folder, *names] if names:
                build_images(Path(folder), names)
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except ToolError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
