"""The command line of a service's host."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from firebreak_runtime.walls import PROMISES

GRACE = 10.0
"""Seconds that calls get to finish when the host is asked to end, unless it is told otherwise."""


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """The options by name. Ends the process with code 2 where they make no sense."""
    about = "Serves one agent, tool, model, retriever or embeddings object."
    parser = argparse.ArgumentParser(prog="firebreak_runtime", description=about)
    parser.add_argument("--service", type=Path, required=True, help="folder of service.yaml")
    parser.add_argument("--listen", type=_address, required=True, help='"unix:PATH" or "host:port"')
    parser.add_argument(
        "--gateway",
        type=_address,
        required=True,
        help='"unix:PATH", "host:port" with TLS, or "plaintext:host:port" in the clear: where the gateway is, for agents',
    )
    parser.add_argument(
        "--token-file", type=Path, required=True, help="file that holds the service's token, for agents"
    )
    parser.add_argument(
        "--grace", type=_seconds, default=GRACE, help="seconds that calls get to finish when the host is asked to end"
    )
    parser.add_argument("--check", action="store_true", help="only load the service and say whether it can be")
    parser.add_argument(
        "--health",
        type=_place,
        default="",
        metavar="HOST:PORT",
        help="where to say in the clear, without TLS, whether the service is healthy, and nothing else",
    )
    _add_tls(parser)
    _add_walls(parser)
    options = parser.parse_args(arguments)
    if wrong := _wrong_tls(options):
        parser.error(wrong)
    return options


def _add_tls(parser: argparse.ArgumentParser) -> None:
    own = (("certificate", "the listener's certificate"), ("key", "its key"), ("client-ca", "those who may connect"))
    for name, what in own:
        parser.add_argument(f"--tls-{name}", type=Path, metavar="FILE", help=f"PEM: {what}; all three together")
    parser.add_argument(
        "--gateway-ca",
        type=Path,
        metavar="FILE",
        help="PEM: who signed the gateway's certificate; the listener's own, if any, is shown to the gateway",
    )


def _wrong_tls(options: argparse.Namespace) -> str:
    """What makes no sense about files of TLS; "" where all does."""
    own = (options.tls_certificate, options.tls_key, options.tls_client_ca)
    if any(own) and not all(own):
        return "--tls-certificate, --tls-key and --tls-client-ca come together"
    if all(own) and options.listen.startswith("unix:"):
        return "--tls-certificate, --tls-key and --tls-client-ca are for a --listen of host:port"
    if options.gateway_ca and options.gateway.startswith(("unix:", "plaintext:")):
        return "--gateway-ca is for a --gateway of host:port"
    return ""


def _add_walls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--enclose",
        choices=("required", "best-effort", "none"),
        default="none",
        help="whether to build walls around itself before anything is started; exit code 3 where they are required and missing",
    )
    parser.add_argument(
        "--promise",
        action="append",
        default=[],
        choices=PROMISES,
        metavar="NAME",
        help="what whoever starts the host has seen to: " + ", ".join(PROMISES),
    )
    parser.add_argument("--readable", action="append", default=[], help="path that may be read; everything by default")
    parser.add_argument("--writable", action="append", default=[], help="folder in which files may be changed")
    parser.add_argument(
        "--port",
        type=int,
        action="append",
        default=[],
        choices=range(1, 65536),
        metavar="PORT",
        help="TCP port that may be connected to beside that of --gateway, such as 53 for names",
    )
    parser.add_argument(
        "--workers-group",
        type=int,
        metavar="FD",
        help="open cgroup.procs of the control group that workers shall be in, apart from their host",
    )
    _add_platform(parser)
    parser.add_argument("--egress", type=_unix, default="", help='"unix:PATH" of the egress proxy')
    parser.add_argument("--secrets", default="", help="folder of the service's secrets")


def _add_platform(parser: argparse.ArgumentParser) -> None:
    """What a proof has to know of the place that the host is started in."""
    parser.add_argument(
        "--network-policy",
        action="store_true",
        help="a policy bounds the network, which is no namespace with loopback alone: what gets no answer is out of reach",
    )
    parser.add_argument(
        "--reads", action="append", default=[], metavar="PATH", help="what is there to be read beside the service's own"
    )
    parser.add_argument(
        "--variable",
        action="append",
        default=[],
        metavar="NAME",
        help="environment variable that the platform sets and that is no secret; NAME* for all that begin so",
    )


def _address(text: str) -> str:
    if not text.startswith("unix:") and re.fullmatch(r".+:[1-9]\d{0,4}|.+:0", text) is None:
        raise argparse.ArgumentTypeError(f'{text!r} is neither "unix:PATH" nor "host:port"')
    return text


def _place(text: str) -> str:
    if text.startswith("unix:"):
        raise argparse.ArgumentTypeError(f'{text!r} is not "host:port"')
    return _address(text) if text else ""


def _unix(text: str) -> str:
    if text and not text.startswith("unix:/"):
        raise argparse.ArgumentTypeError(f'{text!r} is not "unix:" and an absolute path')
    return text


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (seconds := float(text)) < float("inf"):
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
