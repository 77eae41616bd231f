"""`scripts/reference`: see --help."""

import sys

from scripts.lib.reference.pages import main

sys.exit(main())
