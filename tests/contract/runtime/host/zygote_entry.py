"""The zygote's command line with the probe in place of LangChain objects. Runs isolated, so it finds the probe by itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from firebreak_runtime.zygote import main
from probe import load

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], load))
