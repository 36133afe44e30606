"""A tool that was talked into breaking out: it tries for real whatever its walls must refuse, and tells what came of it.

An attempt that does succeed is undone at once: without walls this tool is harmless, too.
"""

import json
from typing import Any

import files
import kernel
import network
import processes
import proxy
import sockets
import writing
from attempts import apart, here, together
from langchain_core.tools import tool

GROUPS = {
    "nothing": lambda around: [],
    "network": lambda around: together(network.attempts(around)),
    "proxy": lambda around: here(proxy.attempts(around)),
    "files": lambda around: here(files.attempts(around)),
    "processes": lambda around: here(processes.attempts(around)) + apart(processes.tracing()),
    "writing": lambda around: here(writing.attempts(around)),
    "kernel": lambda around: apart(kernel.attempts(around)),
    "sockets": lambda around: here(sockets.attempts(around)),
}


@tool
def prisoner(group: str, around: dict[str, Any]) -> str:
    """Try what is in this group; `around` names what there is outside. Answers [{"what", "outcome", "how"}, …]."""
    return json.dumps(GROUPS[group](around))
