"""``python -m labelglot``: the command line."""

import sys

from labelglot.cli import main

sys.exit(main())
