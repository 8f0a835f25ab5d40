"""The operator launches real processes, tells how they ended, and leaves none behind."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.warm_job import stop_workers

pytestmark = pytest.mark.slow

JOBS = {
    "good": "print('read 3 rows'); print('done')",
    "verdict": "import sys; sys.stderr.write('error: file x.gz ends early\\n'); print('closing down'); sys.exit(1)",
    "crash": "raise RuntimeError('out of luck')",
    "arguments": "import sys; print(sys.argv[1:])",
    "sleeper": """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
        print(f'started {child.pid}', flush=True)
        time.sleep(600)
    """,
}


@pytest.fixture(params=["1", "0"], ids=["warm", "new"])
def jobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of tiny jobs on the path of whatever the operator launches: a warm process's fork, or a new one."""
    monkeypatch.setenv("RECSYS_WARM", request.param)
    for name, body in JOBS.items():
        (tmp_path / f"job_{name}.py").write_text(textwrap.dedent(body), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    yield tmp_path
    stop_workers()


def operator(module: str, *arguments: str):  # noqa: ANN201 - the import is slow, and needs AIRFLOW_HOME set
    from plugins.job_operator import JobOperator

    return JobOperator(task_id="job", module=module, arguments=list(arguments))


def test_output_goes_to_the_log_and_the_last_line_is_the_result(jobs: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert operator("job_good").execute({}) == "done"


def test_arguments_are_strings_and_empty_ones_are_left_out(jobs: Path) -> None:
    assert operator("job_arguments", "--a", "", "b; rm -rf c").execute({}) == "['--a', 'b; rm -rf c']"


def test_a_verdict_is_final_and_says_what_was_wrong(jobs: Path) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="^error: file x.gz ends early$"):
        operator("job_verdict").execute({})


def test_a_crash_may_be_tried_again(jobs: Path) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    with pytest.raises(AirflowException, match="exit status 1; its last line was: RuntimeError: out of luck") as caught:
        operator("job_crash").execute({})
    assert not isinstance(caught.value, AirflowFailException)


def test_a_killed_task_ends_its_job_and_what_the_job_started(jobs: Path) -> None:
    from airflow.sdk.exceptions import AirflowException

    task = operator("job_sleeper")
    timer = threading.Timer(6, task.on_kill)  # a warm process may have to start first
    timer.start()
    with pytest.raises(AirflowException, match="ended by signal 15; its last line was: started") as caught:
        task.execute({})
    assert _gone(int(str(caught.value).split()[-1]))


def test_a_job_does_not_outlive_a_task_that_was_killed_with_sigkill(jobs: Path) -> None:
    script = "from plugins.job_operator import JobOperator; JobOperator(task_id='j', module='job_sleeper').execute({})"
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ["PYTHONPATH"]])}
    task = subprocess.Popen([sys.executable, "-c", script], env=environment)
    job = _wait_for(lambda: _children(task.pid))
    os.kill(task.pid, signal.SIGKILL)
    task.wait()
    assert _gone(job)


def test_a_fork_dies_with_its_client_and_takes_along_what_it_started(jobs: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ["PYTHONPATH"]])}
    command = [sys.executable, "-m", "plugins.warm_job", str(os.getpid()), "job_sleeper"]
    client = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    started = int(client.stdout.readline().split()[-1])
    client.kill()
    client.wait()
    assert _gone(started)


def test_a_fork_that_kills_itself_is_a_killed_job(jobs: Path) -> None:
    from airflow.sdk.exceptions import AirflowException

    (jobs / "job_suicide.py").write_text("import os; print('now', flush=True); os.kill(os.getpid(), 9)")
    with pytest.raises(AirflowException, match="was ended by signal 9; its last line was: now"):
        operator("job_suicide").execute({})


def test_a_job_sees_its_own_environment_and_waits_for_its_threads(
    jobs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = """
        import atexit, os, threading, time
        atexit.register(lambda: print('at the end'))
        threading.Thread(target=lambda: (time.sleep(0.5), print('a thread of', os.environ['AIRFLOW_CTX_WHO']))).start()
    """
    (jobs / "job_threads.py").write_text(textwrap.dedent(body), encoding="utf-8")
    for who in ("ann", "bob"):
        monkeypatch.setenv("AIRFLOW_CTX_WHO", who)  # no other worker for it
        assert operator("job_threads").execute({}) == "at the end"
        assert f"a thread of {who}" in capsys.readouterr().out


def test_a_container_that_no_engine_runs_may_be_tried_again(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    if shutil.which("docker") is None:
        pytest.skip("no docker client on this machine")
    monkeypatch.setenv("RECSYS_LAUNCHER", "docker")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(AirflowException, match="python -m job_good ended with exit status 125") as caught:
        operator("job_good").execute({})
    assert not isinstance(caught.value, AirflowFailException)


def test_a_killed_task_ends_the_client_and_removes_what_it_left(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in the place of the client writes down how it is called: no engine runs on test machines."""
    from airflow.sdk.exceptions import AirflowException

    client = jobs / "bin" / "docker"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\necho "$@" >> {jobs}/calls\n[ "$1" = rm ] || exec sleep 600\n', encoding="utf-8")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RECSYS_LAUNCHER", "docker")
    task = operator("job_sleeper")
    timer = threading.Timer(3, task.on_kill)
    timer.start()
    with pytest.raises(AirflowException, match="ended by signal 15"):
        task.execute({})
    timer.join()
    run, remove = (jobs / "calls").read_text(encoding="utf-8").splitlines()
    name = run.split("--name ")[1].split()[0]
    assert run.endswith("python -m job_sleeper")
    assert remove == f"rm --force {name}"


def test_a_wrong_launcher_fails_the_task_for_good(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    monkeypatch.setenv("RECSYS_LAUNCHER", "podman")
    with pytest.raises(AirflowFailException, match="RECSYS_LAUNCHER is 'podman': write process, docker, kubernetes"):
        operator("job_good").execute({})


def _children(pid: int) -> int | None:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    ready = [int(p) for p in found if b"job_sleeper" in Path(f"/proc/{p}/cmdline").read_bytes()]
    return ready[0] if ready else None


def _wait_for(look, seconds: float = 60):  # noqa: ANN001, ANN202
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := look()) is not None:
            time.sleep(1)  # past the line in which the job ties itself to its parent
            return found
        time.sleep(0.1)
    raise AssertionError("the job never started")


def _gone(pid: int, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False
