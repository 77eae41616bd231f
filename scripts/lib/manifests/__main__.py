"""`scripts/manifests`: see --help."""

import sys

from scripts.lib.manifests.deployment import main

sys.exit(main())
