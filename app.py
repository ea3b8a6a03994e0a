"""The page from a checkout: `python app.py`, and a browser opens. What it does is in `tuning.cli.app`; an installed one is `sartoria app`.

Importing it does nothing: no environment is read, no thread started, no model library loaded.
"""

import sys

from tuning.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
