"""`python -m tuning VERB`, and `sartoria VERB` from a wheel: hands over to the command line. It does nothing itself."""

import sys

from tuning.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
