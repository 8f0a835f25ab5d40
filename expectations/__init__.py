"""Great Expectations suites as code, one file per table, and the step that runs them."""
