"""Runs one service:
`python -I -m firebreak_runtime --service FOLDER --listen unix:PATH --gateway unix:PATH --token-file PATH`."""

from __future__ import annotations

import sys

from firebreak_runtime.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
