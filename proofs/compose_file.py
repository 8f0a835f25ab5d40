"""docker-compose.yml as data, with the variables of `.env` filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from recsys_jobs.contracts.errors import UsageError

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<how>[-?])(?P<text>[^}]*))?\}")


@dataclass(frozen=True)
class Service:
    """A service: its command line, its environment, its health check, its files by path in the container."""

    name: str
    image: str
    command: list[str]
    environment: dict[str, str]
    health: list[str]
    files: dict[str, str]


def load(path: Path, variables: Mapping[str, str]) -> dict[str, Service]:
    """Return the services by name; UsageError where the file asks for a variable that is not there."""
    compose = fill_variables(yaml.safe_load(path.read_text(encoding="utf-8")), variables)
    configs = {name: config["content"] for name, config in compose["configs"].items()}
    return {name: _service(name, section, configs) for name, section in compose["services"].items()}


def fill_variables(value: Any, variables: Mapping[str, str]) -> Any:
    """Return the tree with every ${NAME}, ${NAME:-default} and ${NAME:?message} in its strings replaced."""
    if isinstance(value, dict):
        return {name: fill_variables(each, variables) for name, each in value.items()}
    if isinstance(value, list):
        return [fill_variables(each, variables) for each in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda variable: _value(variable, variables), value)
    return value


def _value(variable: re.Match[str], variables: Mapping[str, str]) -> str:
    value = variables.get(variable["name"], "")
    if not value and variable["how"] == "?":
        raise UsageError(f"{variable['name']} is not set: {variable['text']}")
    default = variable["text"] if variable["how"] == "-" else ""
    return value or default


def _service(name: str, section: dict[str, Any], configs: Mapping[str, str]) -> Service:
    health = section.get("healthcheck", {}).get("test", [])
    return Service(
        name=name,
        image=section["image"],
        command=[*section.get("entrypoint", []), *section.get("command", [])],
        environment={key: str(value) for key, value in section.get("environment", {}).items()},
        health=health[1:],  # after CMD
        files={config["target"]: configs[config["source"]] for config in section.get("configs", [])},
    )
