"""The one place where the pipeline talks to MLflow: runs found by fingerprint, models, aliases.

Weights are safetensors and models are code: nothing here writes or reads a pickle.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from recsys_jobs.contracts import settings
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import lake_root, tracking_uri, var_dir

CHAMPION, PREVIOUS = "champion", "previous"
FINGERPRINT, KIND = "fingerprint", "kind"
ARCHIVED = "archived"
_SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("string", "user_id")]),
    outputs=Schema(
        [
            ColSpec("string", "user_id"),
            ColSpec("long", "rank"),
            ColSpec("string", "item_id"),
            ColSpec("double", "score"),
        ]
    ),
    params=ParamSchema([ParamSpec("k", "integer", 20)]),
)


def registered_name() -> str:
    """Return the name of the registered model of the lake in use."""
    return settings.registered_name(lake_root())


def client() -> MlflowClient:
    """Return MLflow's client of the tracking server in use, which MLflow's own functions use from here on, too."""
    uri = tracking_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return _client(uri)


@cache
def _client(uri: str) -> MlflowClient:
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return MlflowClient(uri)


def experiment_id(name: str | None = None) -> str:
    """Return the experiment of this name, else the lake's; make it where there is none."""
    uri = tracking_uri()
    local = uri.startswith("sqlite:")  # a server decides where artifacts go; a file does not
    location = (var_dir() / "mlflow" / "artifacts").as_uri() if local else None
    return _experiment_id(uri, name or lake_root().name, location)


@cache
def _experiment_id(uri: str, name: str, location: str | None) -> str:
    experiment = client().get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    return client().create_experiment(name, artifact_location=location)


def find_run(fingerprint: str, kind: str) -> Run | None:
    """Return the finished run of this fingerprint and kind (exam, serving, evaluation), or None."""
    runs = client().search_runs(
        [experiment_id()],
        f"attributes.status = 'FINISHED' AND tags.{FINGERPRINT} = '{fingerprint}' AND tags.{KIND} = '{kind}'",
        max_results=1,
        order_by=["attributes.start_time ASC"],
    )
    return runs[0] if runs else None


def runs_of_kind(kind: str, experiment: str | None = None) -> list[Run]:
    """Return the finished runs of a kind, the newest first; of the lake's experiment unless one is named."""
    return list(
        client().search_runs(
            [experiment_id(experiment)],
            f"attributes.status = 'FINISHED' AND tags.{KIND} = '{kind}'",
            order_by=["attributes.start_time DESC"],
        )
    )


def runs_of_fingerprint(fingerprint: str) -> list[Run]:
    """Return the runs of a fingerprint in any experiment, broken-off ones too, the newest first."""
    if not fingerprint.isalnum():  # it goes into a query
        return []
    experiment_ids = [experiment.experiment_id for experiment in client().search_experiments()]
    query = f"tags.{FINGERPRINT} = '{fingerprint}'"
    return list(client().search_runs(experiment_ids, query, order_by=["attributes.start_time DESC"]))


def artifacts(run_id: str, folder: str) -> list[str]:
    """Return the paths of what a run keeps in a folder of its artifacts."""
    return [str(file.path) for file in client().list_artifacts(run_id, folder)]


@contextmanager
def new_run(
    name: str, kind: str, fingerprint: str, tags: Mapping[str, str], experiment: str | None = None
) -> Iterator[Run]:
    """Open a run that ends FINISHED, or FAILED where its body raises; of the lake's experiment unless one is named."""
    client()
    all_tags = {**tags, KIND: kind, FINGERPRINT: fingerprint}
    with mlflow.start_run(experiment_id=experiment_id(experiment), run_name=name, tags=all_tags) as run:
        yield run


def resumed_run(run_id: str) -> AbstractContextManager[Run]:
    """Open an earlier run, to which more is logged."""
    client()
    run: AbstractContextManager[Run] = mlflow.start_run(run_id=run_id)
    return run


def log_params(values: Mapping[str, Any]) -> None:
    """Log what the open run was made with."""
    mlflow.log_params(dict(values))


def log_metrics(values: Mapping[str, float], step: int | None = None) -> None:
    """Log figures of the open run; with `step`, as points of its curves."""
    mlflow.log_metrics(dict(values), step=step)


def log_table(columns: Mapping[str, list[Any]], file: str) -> None:
    """Log a table of the open run as a JSON file."""
    mlflow.log_table(dict(columns), file)


def log_file(path: Path, folder: str | None = None) -> None:
    """Keep a local file with the open run."""
    mlflow.log_artifact(str(path), folder)


def fetch(run_id: str, artifact: str, into: Path) -> Path:
    """Download one artifact of a run and return where it is."""
    client()
    return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=artifact, dst_path=str(into)))


def log_pyfunc(run_id: str, folder: Path) -> str:
    """Log the recommender in `folder` to a run as a pyfunc model from code; return its URI."""
    client()
    with mlflow.start_run(run_id=run_id):
        return _log_pyfunc(folder)


def _log_pyfunc(folder: Path) -> str:
    info = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"model": str(folder)},
        signature=_SIGNATURE,
        pip_requirements=["torch", "safetensors", "pandas", "numpy", "scipy"],
    )
    return str(info.model_uri)


def register(model_uri: str, run_id: str, tags: Mapping[str, str]) -> int:
    """Register the model of a run; return its version."""
    _ensure_registered_model()
    version = client().create_model_version(registered_name(), source=model_uri, run_id=run_id, tags=dict(tags))
    return int(version.version)


def version_of(run_id: str) -> int | None:
    """Return the version made from this run, or None. The first, should a killed task have left two."""
    return min((int(version.version) for version in versions() if version.run_id == run_id), default=None)


def _ensure_registered_model() -> None:
    try:
        client().create_registered_model(registered_name())
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def version_with_alias(alias: str) -> Any | None:
    """Return the version that bears the alias, or None."""
    try:
        return client().get_model_version_by_alias(registered_name(), alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def set_alias(alias: str, version: int | None) -> None:
    """Let the alias stand at `version`, or nowhere."""
    if version is not None:
        client().set_registered_model_alias(registered_name(), alias, str(version))
    elif version_with_alias(alias) is not None:
        client().delete_registered_model_alias(registered_name(), alias)


def champion() -> int | None:
    """Return the number of the version that bears `champion`, or None."""
    version = version_with_alias(CHAMPION)
    return None if version is None else int(version.version)


def fits_of_lake(kinds: tuple[str, ...]) -> list[Run]:
    """Return every finished run of these kinds in the lake's experiment."""
    runs: list[Run] = []
    token: str | None = ""
    while token is not None:
        page = client().search_runs([experiment_id()], "attributes.status = 'FINISHED'", page_token=token or None)
        runs += [run for run in page if run.data.tags.get(KIND) in kinds]
        token = page.token or None
    return runs


def versions() -> list[Any]:
    """Return every registered version of the lake's model, the oldest first."""
    unordered = client().search_model_versions(f"name = '{registered_name()}'")
    return sorted(unordered, key=lambda version: int(version.version))


def night_version(version: int) -> Any:
    """Return a version that a night registered; UsageError where there is none of this number."""
    by_number = {int(registered.version): registered for registered in versions() if "recipe" in registered.tags}
    if version not in by_number:
        known = ", ".join(map(str, by_number)) or "none"
        raise UsageError(f"no night registered version {version} of {registered_name()}; known: {known}")
    return by_number[version]


def get_run(run_id: str) -> Run:
    """Return the run of this id."""
    return client().get_run(run_id)


def fetch_version(version: Any, into: Path) -> Path:
    """Download the files of a registered version into a folder; return where they are."""
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=version.source, dst_path=str(into)))


def replace_in_version(version: Any, folder: Path, place: str) -> None:
    """Put the files of a local folder in the place of those of a registered version."""
    client().log_model_artifacts(version.model_id or version.source.removeprefix("models:/"), str(folder), place)


def has_artifact(run_id: str, artifact: str) -> bool:
    """Return whether a run still has this file."""
    return artifact in artifacts(run_id, str(Path(artifact).parent))


def replace_artifact(run_id: str, file: Path, place: str) -> None:
    """Put a local file in the place of a run's file of the same name."""
    client().log_artifact(run_id, str(file), place)


def drop_artifact(run_id: str, artifact: str) -> None:
    """Remove a file, or a folder, of a run."""
    get_artifact_repository(client().get_run(run_id).info.artifact_uri).delete_artifacts(artifact)


def archive_version(version: Any, day: str) -> None:
    """Mark a registered version as one that nobody serves; it still loads."""
    client().set_model_version_tag(registered_name(), str(version.version), ARCHIVED, day)


def aliases() -> dict[str, int]:
    """Return the registered model's aliases and the versions that bear them; none while there is no such model."""
    try:
        version_by_alias = client().get_registered_model(registered_name()).aliases
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    return {alias: int(version) for alias, version in version_by_alias.items()}
