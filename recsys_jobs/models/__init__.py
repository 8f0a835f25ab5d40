"""The recommenders, a folder a family, and the registry of families and recipes. No lake and no MLflow may enter."""
