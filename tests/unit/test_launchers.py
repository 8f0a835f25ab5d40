"""A launcher is a command line: the same job as a process, in a container, as a pod."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import kubernetes_validate
import pytest

from plugins.launchers import Job, launch, pod

JOB = Job("recsys_jobs.night.train", ["--run-date", "2014-03-01", "--recipe=a; rm -rf /"], gpu=True)
ENVIRONMENT = {
    "PATH": "/usr/bin",
    "AIRFLOW__CORE__FERNET_KEY": "only-airflow-needs-it",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "s3-secret",
    "AWS_ENDPOINT_URL": "http://s3:8333",
    "RECSYS_LAKE": "s3://lake/main",
    "RECSYS_JOB_GPUS": "2",
    "RECSYS_JOB_IMAGE": "recsys-job:gpu",
    "RECSYS_JOB_VOLUMES": "recsys_var:/opt/recsys/var, /data/landing:/landing:ro",
}


def with_launcher(name: str, **more: str) -> dict[str, str]:
    return {**ENVIRONMENT, "RECSYS_LAUNCHER": name, **more}


def after(command: list[str], option: str) -> list[str]:
    """The values that follow each mention of an option."""
    return [value for flag, value in zip(command, command[1:], strict=False) if flag == option]


def test_a_process_is_the_default_and_leaves_nothing_to_clean_up() -> None:
    how = launch(JOB, {"RECSYS_WARM": "0"})
    assert how.command[:3] == [sys.executable, "-m", "plugins.parent_death_signal"]
    assert launch(JOB, {}).command[:3] == [sys.executable, "-m", "plugins.warm_job"]
    assert launch(JOB, {}).command[4:] == how.command[4:]
    assert how.command[4:] == ["recsys_jobs.night.train", "--run-date", "2014-03-01", "--recipe=a; rm -rf /"]
    assert how.cleanup == []


def test_a_container_gets_gpus_volumes_and_the_job_as_it_is() -> None:
    how = launch(JOB, with_launcher("docker"))
    command = how.command[how.command.index("--") + 1 :]
    assert command[:2] == ["docker", "run"]
    assert after(command, "--gpus") == ["2"]
    assert after(command, "--volume") == ["recsys_var:/opt/recsys/var:rw", "/data/landing:/landing:ro"]
    assert command[-6:] == ["recsys-job:gpu", "python", "-m", "recsys_jobs.night.train", *JOB.arguments][-6:]
    assert how.cleanup == ["docker", "rm", "--force", *after(command, "--name")]


def test_a_container_copies_the_jobs_variables_by_name_and_no_value_shows() -> None:
    command = launch(JOB, with_launcher("docker")).command
    expected = ["AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_SECRET_ACCESS_KEY", "RECSYS_LAKE"]
    assert after(command, "--env") == expected
    assert not any("secret" in part.replace("_SECRET", "") for part in command)


def test_a_job_that_cannot_use_a_gpu_asks_for_none() -> None:
    job = Job("spark.ingest", ["--run-date", "2014-03-01"])
    assert "--gpus" not in launch(job, with_launcher("docker")).command
    assert "resources" not in pod(job, "a", ENVIRONMENT)["spec"]["containers"][0]


def test_a_pod_is_valid_kubernetes() -> None:
    described = pod(JOB, "recsys-train-1", ENVIRONMENT)
    kubernetes_validate.validate(described, "1.28", strict=True)
    described["spec"]["containers"][0]["imagePullPolice"] = "Never"
    with pytest.raises(kubernetes_validate.ValidationError, match="imagePullPolice"):
        kubernetes_validate.validate(described, "1.28", strict=True)


def test_a_pod_asks_for_gpus_and_takes_secrets_from_the_cluster() -> None:
    (container,) = pod(JOB, "recsys-train-1", ENVIRONMENT)["spec"]["containers"]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": "2"}}
    assert container["env"] == [
        {"name": "AWS_ENDPOINT_URL", "value": "http://s3:8333"},
        {"name": "RECSYS_LAKE", "value": "s3://lake/main"},
    ]
    assert container["envFrom"] == [{"secretRef": {"name": "recsys"}}]
    assert container["command"][-1] == "--recipe=a; rm -rf /"


def test_kubectl_runs_the_pod_attached_and_its_cleanup_names_it() -> None:
    how = launch(JOB, with_launcher("kubernetes", RECSYS_JOB_NAMESPACE="nights"))
    command = how.command[how.command.index("--") + 1 :]
    described: dict[str, Any] = json.loads(after(command, "--overrides")[0])
    name = described["metadata"]["name"]
    assert command[:3] == ["kubectl", "run", name]
    assert {"--attach", "--rm", "--restart=Never"} <= set(command)
    assert how.cleanup[:4] == ["kubectl", "delete", "pod", name]
    assert after(command, "--namespace") == after(how.cleanup, "--namespace") == ["nights"]


@pytest.mark.parametrize("launcher", ["docker", "kubernetes"])
def test_each_attempt_has_a_name_of_its_own_that_both_engines_take(launcher: str) -> None:
    names = {launch(JOB, with_launcher(launcher)).cleanup[3] for _ in range(2)}
    assert len(names) == 2
    for name in names:
        assert len(name) <= 63
        assert name.replace("-", "").isalnum()
        assert name == name.lower()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"RECSYS_LAUNCHER": "podman"}, "RECSYS_LAUNCHER is 'podman': write process, docker, kubernetes"),
        ({"RECSYS_LAUNCHER": "docker", "RECSYS_JOB_GPUS": "all"}, "RECSYS_JOB_GPUS is 'all'"),
        ({"RECSYS_LAUNCHER": "docker", "RECSYS_JOB_VOLUMES": "var"}, "'var' is not source:/path"),
    ],
)
def test_a_wrong_setting_is_told(wrong: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        launch(JOB, wrong)


@pytest.mark.parametrize(
    ("launcher", "client", "no_engine"),
    [("docker", "docker", "docker daemon"), ("kubernetes", "kubectl", "was refused")],
)
def test_the_engines_own_client_understands_the_command_line(launcher: str, client: str, no_engine: str) -> None:
    """A client reads its flags before it looks for an engine, so a machine without one can tell."""
    if shutil.which(client) is None:
        pytest.skip(f"no {client} on this machine")
    command = launch(JOB, with_launcher(launcher)).command
    run = command[command.index("--") + 1 :]
    nowhere = {"DOCKER_HOST": "unix:///nonexistent/docker.sock", "KUBECONFIG": os.devnull}
    environment = {**ENVIRONMENT, "PATH": os.environ["PATH"], **nowhere}

    def said(command: list[str]) -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode != 0
        return done.stderr.lower()

    assert no_engine in said(run)
    assert "unknown flag: --gpuz" in said([*run[:2], "--gpuz", *run[2:]])
