"""``python -m hastec``: the command line."""

import sys

from hastec.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
