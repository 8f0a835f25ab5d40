"""How a job is launched: as a process beside the scheduler, in a container, or as a pod; each as a command line.

`RECSYS_LAUNCHER` (process, docker, kubernetes) chooses; process is the default. The other two read

    RECSYS_JOB_IMAGE      the job image                             (default: recsys-job:cpu)
    RECSYS_JOB_GPUS       GPUs for a job that can use one           (default: 0)
    RECSYS_JOB_VOLUMES    source:/path[:ro], comma between them     (a volume or folder; on Kubernetes a claim)
    RECSYS_JOB_NETWORK    Docker's network                          (default: recsys_stack)
    RECSYS_JOB_NAMESPACE  Kubernetes' namespace                     (default: default)
    RECSYS_JOB_SECRET     Kubernetes' secret with the store's keys  (default: recsys)

Both clients stream the job's output and end with its exit status, so that the operator judges all three alike.
Values never stand on a command line: `docker run --env NAME` copies them, a pod reads secrets from the cluster.
"""

from __future__ import annotations

import json
import os
import re
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_IMAGE = "recsys-job:cpu"
_PASSED = re.compile(r"^(RECSYS|MLFLOW|AWS|OMP|TQDM|PYTHON(UNBUFFERED|WARNINGS)$|SPARK_CONF_DIR$)")
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD")
_LAUNCHER_ONLY = re.compile(r"^RECSYS_(LAUNCHER|JOB_)")  # what launching needs and the job does not


@dataclass(frozen=True)
class Job:
    """What to launch: `python -m module *arguments`, and how many GPUs it asks for."""

    module: str
    arguments: Sequence[str]
    gpu: bool = False

    @property
    def command(self) -> list[str]:
        """The job's own command line, where its image's `python` runs it."""
        return ["python", "-m", self.module, *self.arguments]


@dataclass(frozen=True)
class Launch:
    """A client's command line, and the one that ends the job should the client be gone (none for a process)."""

    command: list[str]
    cleanup: list[str]


def launch(job: Job, environment: Mapping[str, str]) -> Launch:
    """How to launch `job`, as `environment` chooses; ValueError where a setting is wrong."""
    launcher = environment.get("RECSYS_LAUNCHER") or "process"
    if launcher not in _LAUNCHERS:
        raise ValueError(f"RECSYS_LAUNCHER is {launcher!r}: write {', '.join(_LAUNCHERS)}")
    return _LAUNCHERS[launcher](job, environment)


def process(job: Job, environment: Mapping[str, str]) -> Launch:
    """A process of this interpreter, tied to the life of this one: a warm one's fork, or with RECSYS_WARM=0 new."""
    is_warm = sys.platform == "linux" and environment.get("RECSYS_WARM") != "0"
    runner = "plugins.warm_job" if is_warm else "plugins.parent_death_signal"
    return Launch([*_tied_to_this_process(runner), job.module, *job.arguments], [])


def docker(job: Job, environment: Mapping[str, str]) -> Launch:
    """`docker run` in the stack's network, with no privilege and the engine's own init."""
    name = _name(job)
    gpus = _gpus(job, environment)
    network = environment.get("RECSYS_JOB_NETWORK") or "recsys_stack"
    options = ["--rm", "--init", "--name", name, "--network", network]
    options += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"]
    for source, target, mode in _volumes(environment):
        options += ["--volume", f"{source}:{target}:{mode}"]
    for variable in _passed_variables(environment):
        options += ["--env", variable]
    options += ["--gpus", str(gpus)] if gpus else []
    image = environment.get("RECSYS_JOB_IMAGE") or _IMAGE
    command = [*_tied_to_this_process(), "--", "docker", "run", *options, image, *job.command]
    return Launch(command, cleanup=["docker", "rm", "--force", name])


def kubernetes(job: Job, environment: Mapping[str, str]) -> Launch:
    """`kubectl run`, attached, of the pod that `pod` describes; the pod is removed when it ends."""
    name = _name(job)
    namespace = environment.get("RECSYS_JOB_NAMESPACE") or "default"
    manifest = pod(job, name, environment)
    [container] = manifest["spec"]["containers"]
    options = ["--namespace", namespace, "--image", container["image"], "--restart=Never"]
    options += ["--rm", "--attach", "--quiet", "--pod-running-timeout=30m", "--overrides", json.dumps(manifest)]
    cleanup = ["kubectl", "delete", "pod", name, "--namespace", namespace, "--ignore-not-found", "--wait=false"]
    return Launch([*_tied_to_this_process(), "--", "kubectl", "run", name, *options], cleanup)


def pod(job: Job, name: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The pod as data: one container, its GPUs as a limit, secrets by reference, claims as volumes."""
    volumes = list(enumerate(_volumes(environment)))
    container: dict[str, Any] = {
        "name": "job",
        "image": environment.get("RECSYS_JOB_IMAGE") or _IMAGE,
        "command": job.command,
        "env": [{"name": n, "value": environment[n]} for n in _passed_variables(environment) if not _SECRET.search(n)],
        "envFrom": [{"secretRef": {"name": environment.get("RECSYS_JOB_SECRET") or "recsys"}}],
        "volumeMounts": [
            {"name": f"volume-{n}", "mountPath": target, "readOnly": mode == "ro"} for n, (_, target, mode) in volumes
        ],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if gpus := _gpus(job, environment):
        container["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}}
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001},
        "containers": [container],
        "volumes": [
            {"name": f"volume-{n}", "persistentVolumeClaim": {"claimName": source}} for n, (source, _, _) in volumes
        ],
    }
    labels = {"app": "recsys", "module": job.module}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


_LAUNCHERS = {"process": process, "docker": docker, "kubernetes": kubernetes}


def _tied_to_this_process(runner: str = "plugins.parent_death_signal") -> list[str]:
    return [sys.executable, "-m", runner, str(os.getpid())]


def _name(job: Job) -> str:
    """A name of its own for each attempt, of the letters that both engines take."""
    return f"recsys-{re.sub('[^a-z0-9]+', '-', job.module.lower())[:40].strip('-')}-{uuid.uuid4().hex[:12]}"


def _passed_variables(environment: Mapping[str, str]) -> list[str]:
    return sorted(name for name in environment if _PASSED.match(name) and not _LAUNCHER_ONLY.match(name))


def _gpus(job: Job, environment: Mapping[str, str]) -> int:
    setting = environment.get("RECSYS_JOB_GPUS") or "0"
    if not setting.isdecimal():
        raise ValueError(f"RECSYS_JOB_GPUS is {setting!r}: write how many, 0 for none")
    return int(setting) if job.gpu else 0


def _volumes(environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(source, path in the container, rw or ro) of each volume."""
    volumes = []
    for text in filter(None, (environment.get("RECSYS_JOB_VOLUMES") or "").split(",")):
        source, _, rest = text.strip().partition(":")
        target, _, mode = rest.partition(":")
        if not source or not target.startswith("/") or mode not in ("", "rw", "ro"):
            raise ValueError(f"RECSYS_JOB_VOLUMES: {text.strip()!r} is not source:/path or source:/path:ro")
        volumes.append((source, target, mode or "rw"))
    return volumes
