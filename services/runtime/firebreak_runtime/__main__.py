"""Runs one service:
`python -I -m firebreak_runtime --service FOLDER --listen unix:PATH --gateway unix:PATH --token-file PATH`."""

from __future__ import annotations

import sys

from firebreak_runtime import process

if __name__ == "__main__":
    process.end_on_signals()
    from firebreak_runtime.main import main  # takes a while, in which signals may come already

    sys.exit(main(sys.argv[1:]))
