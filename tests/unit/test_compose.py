"""docker-compose.yml: valid by the Compose specification, and nothing in it is open, unnamed or unchecked."""

from __future__ import annotations

import copy
import importlib.resources
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from recsys_jobs.operations.stack.env_file import SECRETS
from tests.conftest import ROOT

# what ends when it is done, or is run by hand, has no health to check
NO_HEALTH_CHECK = {"s3-init": "one shot", "airflow-init": "one shot", "job": "by hand", "job-gpu": "by hand"}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<default>:-[^}]*|:\?[^}]*)?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The Compose specification's JSON schema, as the package check-jsonschema carries it."""
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    return json.loads(vendored.read_text(encoding="utf-8"))


def strings(value: Any) -> Iterator[str]:
    """Every string in a tree, keys aside."""
    if isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def services(compose: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(compose["services"].items())


def test_the_file_is_valid_by_the_compose_specification(compose: dict[str, Any], schema: dict[str, Any]) -> None:
    jsonschema.validate(compose, schema)


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("services", "postgres", "healtcheck"), {"test": ["CMD", "true"]}),
        (("services", "postgres", "healthcheck", "interval"), {"seconds": 10}),
        (("services", "mlflow", "depends_on", "postgres", "condition"), "service_is_healthy"),
        (("services", "spark-worker", "deploy"), {"resources": {"reservations": {"devices": "all"}}}),
        (("volume",), {"postgres": {}}),
    ],
)
def test_the_schema_tells_a_mistake(
    compose: dict[str, Any], schema: dict[str, Any], place: tuple[str, ...], wrong: Any
) -> None:
    broken = copy.deepcopy(compose)
    inside = broken
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_every_published_port_is_this_machines_alone(compose: dict[str, Any]) -> None:
    ports = [port for _, service in services(compose) for port in service.get("ports", [])]
    assert len(ports) == 5
    for port in ports:
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), port
    assert not any(service.get("network_mode") == "host" for _, service in services(compose))


def test_no_two_services_publish_the_same_port(compose: dict[str, Any]) -> None:
    ports = [port.split(":")[1] for _, service in services(compose) for port in service.get("ports", [])]
    assert len(set(ports)) == len(ports)


def test_every_service_has_a_health_check_or_a_reason(compose: dict[str, Any]) -> None:
    without = {name for name, service in services(compose) if not service.get("healthcheck", {}).get("test")}
    assert without == set(NO_HEALTH_CHECK)


def test_who_waits_for_health_waits_for_a_service_that_has_some(compose: dict[str, Any]) -> None:
    for name, service in services(compose):
        for other, how in service.get("depends_on", {}).items():
            target = compose["services"][other]
            checked = bool(target.get("healthcheck"))
            assert checked == (how["condition"] == "service_healthy"), f"{name} waits for {other}"
            assert not target.get("profiles"), f"{name} waits for {other}, which a profile may leave out"


def test_every_secret_is_asked_for_and_none_has_a_default(compose: dict[str, Any]) -> None:
    found = [m for text in strings(compose) for m in VARIABLE.finditer(text)]
    asked = {m["name"] for m in found if (m["default"] or "").startswith(":?")}
    assert asked == set(SECRETS)
    optional = {m["name"]: m["default"] for m in found if m["name"] not in SECRETS}
    assert all(default and default.startswith(":-") for default in optional.values())
    assert not [name for name in optional if re.search("PASSWORD|SECRET|KEY|TOKEN", name)]


def test_whatever_is_called_a_secret_comes_from_the_environment(compose: dict[str, Any]) -> None:
    for name, service in services(compose):
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD$|SECRET(_KEY)?$|_KEY(_ID)?$|SQL_ALCHEMY_CONN$|STORE_URI$", variable):
                assert VARIABLE.search(value), f"{name}: {variable}"


def test_no_address_carries_a_written_password(compose: dict[str, Any]) -> None:
    for text in strings(compose):
        for password in re.findall(r"://[^/\s:@]+:([^@\s]+)@", text):
            assert VARIABLE.fullmatch(password), text


def test_every_mounted_volume_is_declared_and_every_declared_one_is_mounted(compose: dict[str, Any]) -> None:
    mounted = {
        volume.split(":")[0] for _, s in services(compose) for volume in s.get("volumes", []) if "$" not in volume
    }
    assert mounted == set(compose["volumes"])
    assert all(":/" in volume for _, s in services(compose) for volume in s.get("volumes", []))


def test_configs_are_declared_and_used(compose: dict[str, Any]) -> None:
    used = {config["source"] for _, service in services(compose) for config in service.get("configs", [])}
    assert used == set(compose["configs"])


def test_what_the_stores_identities_say_is_json_and_the_reader_may_only_read(compose: dict[str, Any]) -> None:
    text = VARIABLE.sub(lambda m: m["name"], compose["configs"]["s3_identities"]["content"])
    identities = {i["name"]: i for i in json.loads(text)["identities"]}
    assert identities["reader"]["actions"] == ["Read:lake", "List:lake"]
    assert compose["services"]["thrift"]["environment"]["AWS_ACCESS_KEY_ID"].startswith("${READER_ACCESS_KEY")


def test_images_are_pinned_and_name_no_host(compose: dict[str, Any]) -> None:
    for name, service in services(compose):
        image, _, tag = service["image"].partition(":")
        assert tag, f"{name} has no tag"
        assert tag != "latest", name
        assert "." not in image.split("/")[0], f"{name} names a host"


def test_gpus_are_asked_for_by_the_gpu_profiles_alone(compose: dict[str, Any]) -> None:
    asking = {name for name, service in services(compose) if "devices" in json.dumps(service.get("deploy", {}))}
    assert asking == {"airflow-scheduler-gpu", "job-gpu"}
    for name in asking:
        service = compose["services"][name]
        assert service["build"]["args"] == {"EXTRA": "gpu"}
        assert service["image"] == "recsys-job:gpu"
        assert service["profiles"] in (["gpu"], ["job-gpu"])


def test_modules_that_services_run_are_there(compose: dict[str, Any]) -> None:
    for name, service in services(compose):
        for command in (service.get("command") or [], service.get("healthcheck", {}).get("test", [])):
            if "-m" in command:
                module = command[command.index("-m") + 1].replace(".", "/")
                assert (ROOT / f"{module}.py").is_file(), f"{name}: {module}"


def test_the_job_image_takes_what_it_runs_and_no_secret() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert sources == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / source).exists() for source in sources)


def test_git_never_takes_the_secrets() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_paths_in_the_image_are_the_ones_that_the_file_names(compose: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "WORKDIR /opt/recsys" in dockerfile
    folder = Path(compose["services"]["airflow-scheduler"]["environment"]["AIRFLOW__CORE__DAGS_FOLDER"])
    assert folder == Path("/opt/recsys/dags")


def test_mlflows_supervisor_waits_for_a_worker_that_is_slow_to_start(compose: dict[str, Any]) -> None:
    from uvicorn.main import main

    options = [part for part in compose["services"]["mlflow"]["command"] if part.startswith("--uvicorn-opts=")]
    asked = main.make_context("uvicorn", [*options[0].partition("=")[2].split(), "application"])
    assert asked.params["timeout_worker_healthcheck"] >= 60


def test_options_of_sparks_classes_stand_apart_from_their_values(compose: dict[str, Any]) -> None:
    commands = [service.get("command") or [] for _, service in services(compose)]
    of_spark = [command for command in commands if command[:1] == ["spark-class"]]
    assert len(of_spark) == 2
    assert not [part for command in of_spark for part in command if part.startswith("-") and "=" in part]


def test_the_master_takes_no_application_without_the_secret(compose: dict[str, Any]) -> None:
    lines = compose["configs"]["spark_defaults"]["content"].splitlines()
    assert {"spark.authenticate true", "spark.master.rest.enabled false"} <= set(lines)
