"""`python -m proofs.stack [--night]`: each service of docker-compose.yml as a plain process, and what they do together.

Every command line and variable is read from the compose file; `.env` is made anew. It takes root on Linux (a network
namespace stands for each container), a PostgreSQL server, and S3A's JARs (`python -m spark.toolchain --s3`). With
`--night` a whole night of the sample runs through Airflow's scheduler on the Spark cluster and the S3 store.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from proofs import containers, exposure, hosts
from proofs.compose_file import load
from proofs.containers import Containers
from recsys_jobs.contracts.errors import JobError, run_main
from recsys_jobs.contracts.settings import ROOT
from recsys_jobs.operations.stack import env_file
from recsys_jobs.sample import dates, landing

SERVERS = ["mlflow", "spark-master", "spark-worker"]
AIRFLOW = ["airflow-api-server", "airflow-dag-processor", "airflow-triggerer", "airflow-scheduler"]
NIGHT = str(dates.FIRST_NIGHT)
_SLATES = "select count(*) slates, count(distinct user_id) people from recommendations_latest"
_API = "http://{}:8080"
_ROUND_TRIP = """
import mlflow, pathlib, tempfile
mlflow.set_experiment("trip")
with mlflow.start_run() as run:
    mlflow.log_text("through the store", "note.txt")
folder = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, dst_path=tempfile.mkdtemp())
print((pathlib.Path(folder) / "note.txt").read_text())
"""


class Report:
    """Prints the table of checks, a line as soon as a check is done."""

    def __init__(self) -> None:
        self.failed = 0

    def step(self, what: str, run: Callable[[], str]) -> None:
        """Run one check; print `ok` with what it says, or FAILED with why, and go on."""
        began = time.monotonic()
        try:
            message, verdict = run(), "ok"
        except (JobError, OSError) as error:
            message, verdict = str(error), "FAILED"
            self.failed += 1
        seconds = time.monotonic() - began
        print(f"| {what} | {verdict} | {seconds:.0f} s | {' '.join(message.split())[:300]} |", flush=True)


def main() -> None:
    """Try the stack; exit status 1 where a step failed."""
    parser = argparse.ArgumentParser(prog="python -m proofs.stack", description=__doc__)
    parser.add_argument("--night", action="store_true", help="run a whole night of the sample, too")
    parser.add_argument("--users", type=int, default=400, help="people in the sample dumps (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="work in this new folder and keep it: logs, data, .env")
    parser.add_argument(
        "--patience", type=int, default=300, help="seconds a service may take to be healthy (default: %(default)s)"
    )
    arguments = parser.parse_args()
    if missing := containers.missing_requirement():
        raise JobError(f"the stack was not tried: {missing}")
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background job starts with it ignored
        signal.signal(number, lambda *_: sys.exit("error: the trial was ended"))  # what is open closes: services, hosts
    work = arguments.keep or Path(tempfile.mkdtemp(prefix="stack-"))
    work.mkdir(parents=True, exist_ok=True)
    report = Report()
    try:
        _try_all(work.absolute(), arguments, report)
    finally:
        if not arguments.keep and not report.failed:
            shutil.rmtree(work)
    if report.failed:
        raise JobError(f"{report.failed} steps failed: logs are in {work}")


def _try_all(work: Path, arguments: argparse.Namespace, report: Report) -> None:
    for folder in ("var", "landing", "home"):
        (work / folder).mkdir(exist_ok=True)
    (ROOT / "var").mkdir(exist_ok=True)
    landing.write(work / "landing", arguments.users, 0, dates.SECOND_NIGHT)
    env_file.ensure(work / ".env")
    secrets = env_file.read(work / ".env")
    services = load(ROOT / "docker-compose.yml", secrets | {"RECSYS_CONFIG": "demo"})
    print("| step | | time | said |\n|---|---|---|---|")
    command_lines = exposure.CommandLines(secrets)
    with (
        command_lines,
        hosts.Hosts(services) as network,
        Containers(services, network, work, work / "landing", arguments.patience) as running,
    ):
        _stores(running, report)
        for name in SERVERS:
            report.step(name, lambda name=name: _start_healthy(running, name))  # type: ignore[misc]
        report.step(
            "mlflow: a run and its file, through the S3 store",
            lambda: _run_ok(running, "job", "python", "-c", _ROUND_TRIP),
        )
        report.step("airflow-init", lambda: _last_line(_run_ok(running, "airflow-init")))
        for name in AIRFLOW:
            report.step(name, lambda name=name: _start_healthy(running, name))  # type: ignore[misc]
        _airflow(running, secrets["AIRFLOW_ADMIN_PASSWORD"], report)
        _lake(running, report)
        _sql(running, report)
        if arguments.night:
            report.step("a night through Airflow", lambda: _run_night(running, secrets["AIRFLOW_ADMIN_PASSWORD"]))
            report.step("beeline reads the night's slates", lambda: _beeline(running, _SLATES))
        report.step("open to the other services", lambda: exposure.check_open_ports(running))
    report.step("no log shows a secret", lambda: exposure.check_logs(work, secrets))
    report.step("no command line shows a secret", command_lines.verdict)


def _stores(running: Containers, report: Report) -> None:
    report.step("postgres", lambda: f"{containers.start_postgres(running)}, {_healthy(running, 'postgres')}")
    report.step("s3", lambda: _start_healthy(running, "s3"))
    report.step("s3-init", lambda: _run_ok(running, "s3-init"))
    wrong = ["env", "PGPASSWORD=postgres", "psql", "host=postgres user=postgres dbname=postgres", "--command=select 1"]
    report.step("postgres refuses a wrong password", lambda: _refused(running, "job", wrong, "authentication failed"))
    anonymous = ["wget", "-q", "-O", "-", "-S", "http://s3:8333/lake"]
    report.step("s3 refuses who brings no key", lambda: _refused(running, "job", anonymous, "403"))


def _airflow(running: Containers, password: str, report: Report) -> None:
    address = running.hosts.addresses["airflow-api-server"]
    report.step("Airflow takes the password of .env", lambda: f"a token of {len(_token(address, password))} letters")
    report.step("Airflow refuses admin/admin", lambda: _token_refused(address))


def _lake(running: Containers, report: Report) -> None:
    """Spark writes through the cluster, delta-rs reads and writes, on the same s3:// tables."""
    day = ["--run-date", NIGHT]
    report.step(
        "Spark ingests on the cluster, to s3://",
        lambda: _last_line(_run_ok(running, "job", "python", "-m", "spark.ingest", *day)),
    )
    report.step(
        "delta-rs writes item_images to s3://",
        lambda: _last_line(_run_ok(running, "job", "python", "-m", "recsys_jobs.images", *day)),
    )
    count = "select (select count(*) from reviews) reviews, (select count(*) from item_images) images"
    report.step("delta-rs reads both", lambda: _run_ok(running, "job", "recsys", "sql", count, "--format=csv"))


def _sql(running: Containers, report: Report) -> None:
    report.step("thrift", lambda: _start_healthy(running, "thrift"))
    report.step("beeline reads", lambda: _beeline(running, "select count(*) from reviews"))
    report.step(
        "beeline cannot write",
        lambda: _refused(running, "thrift", _query("delete from reviews where rating < 6"), "403"),
    )


def _start_healthy(running: Containers, name: str) -> str:
    running.start(name)
    return _healthy(running, name)


def _healthy(running: Containers, name: str) -> str:
    return f"healthy after {running.wait_healthy(name):.0f} s"


def _run_ok(running: Containers, name: str, *command: str) -> str:
    done = running.run(name, list(command) or None)
    if done.returncode:
        raise JobError(f"exit status {done.returncode}: {(done.stdout + done.stderr).strip()[-600:]}")
    return done.stdout.strip() or done.stderr.strip()


def _last_line(output: str) -> str:
    return output.splitlines()[-1] if output else ""


def _refused(running: Containers, name: str, command: list[str], says: str) -> str:
    done = running.run(name, command)
    output = done.stdout + done.stderr
    if not done.returncode or says.lower() not in output.lower():
        raise JobError(f"was not refused with {says!r}: exit status {done.returncode}, {output.strip()[-300:]}")
    return f"{says}, exit status {done.returncode}"


def _query(sql: str) -> list[str]:
    return ["beeline", "-u", "jdbc:hive2://127.0.0.1:10000/default", "--silent=true", "--outputformat=csv2", "-e", sql]


def _beeline(running: Containers, sql: str) -> str:
    return _run_ok(running, "thrift", *_query(sql))


def _call_airflow(
    url: str, body: dict[str, Any] | None = None, token: str = "", method: str | None = None
) -> dict[str, Any]:
    """Return the answer of Airflow's API to one call; JobError with its status where it says no."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        raise JobError(f"{error.code}: {error.read().decode(errors='replace')[:300]}") from None


def _token(address: str, password: str) -> str:
    login = {"username": "admin", "password": password}
    return str(_call_airflow(f"{_API.format(address)}/auth/token", login)["access_token"])


def _token_refused(address: str) -> str:
    try:
        _token(address, "admin")
    except JobError as error:
        return str(error)
    raise JobError("a token was given")


def _run_night(running: Containers, password: str, minutes: int = 120) -> str:
    """Trigger the night of the sample by the API, let the scheduler run it, and wait for its end."""
    address = running.hosts.addresses["airflow-api-server"]
    dag = f"{_API.format(address)}/api/v2/dags/nightly"
    body = {"logical_date": None, "conf": {"date": NIGHT}}
    run_id = _call_airflow(f"{dag}/dagRuns", body, _token(address, password))["dag_run_id"]
    # after it: its run is the first in the queue
    _call_airflow(dag, {"is_paused": False}, _token(address, password), "PATCH")
    state, deadline = "not started", time.monotonic() + 60 * minutes
    while state not in ("success", "failed") and time.monotonic() < deadline:
        time.sleep(5)
        state = _call_airflow(f"{dag}/dagRuns/{quote(run_id)}", token=_token(address, password))["state"]
    if state != "success":
        raise JobError(f"the night is {state}")
    return f"{state}: {_run_ok(running, 'job', 'recsys', 'sql', _SLATES, '--format=csv')}"


if __name__ == "__main__":
    run_main(main)
