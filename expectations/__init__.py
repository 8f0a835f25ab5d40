"""Great Expectations suites as code, one file per table, and the step that runs them."""

import logging
import os

# Both before Great Expectations is first imported, wherever that happens.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # nothing leaves the machine
logging.getLogger("great_expectations").setLevel(logging.WARNING)  # at INFO it logs hundreds of lines on itself
