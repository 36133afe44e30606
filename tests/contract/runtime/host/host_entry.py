"""The host's command line with a zygote that loads the probe."""

import sys
from pathlib import Path

from firebreak_runtime.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], (sys.executable, "-I", str(Path(__file__).with_name("zygote_entry.py")))))
