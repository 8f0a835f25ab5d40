"""MLflow: runs, fits found by fingerprint, plots, registered versions. What is decided about them may not enter."""

import os

# before MLflow is imported: it would tell its makers how it is used; MLFLOW_DISABLE_TELEMETRY=false asks for that
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
