"""MLflow: runs, fits found by fingerprint, plots, registered versions. What is decided about them may not enter."""
