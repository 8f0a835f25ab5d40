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
    """One service: its command line, its environment, the check of its health, its files by path in the container."""

    name: str
    image: str
    command: list[str]
    environment: dict[str, str]
    health: list[str]
    files: dict[str, str]


def load(path: Path, variables: Mapping[str, str]) -> dict[str, Service]:
    """The services by name; UsageError where the file asks for a variable that is not there."""
    whole = filled(yaml.safe_load(path.read_text(encoding="utf-8")), variables)
    configs = {name: config["content"] for name, config in whole["configs"].items()}
    return {name: _service(name, described, configs) for name, described in whole["services"].items()}


def filled(value: Any, variables: Mapping[str, str]) -> Any:
    """The tree with every ${NAME}, ${NAME:-default} and ${NAME:?message} in its strings replaced."""
    if isinstance(value, dict):
        return {name: filled(each, variables) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, variables) for each in value]
    return _VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    value = variables.get(found["name"], "")
    if not value and found["how"] == "?":
        raise UsageError(f"{found['name']} is not set: {found['text']}")
    return value or (found["text"] if found["how"] == "-" else "")


def _service(name: str, described: dict[str, Any], configs: Mapping[str, str]) -> Service:
    health = described.get("healthcheck", {}).get("test", [])
    return Service(
        name=name,
        image=described["image"],
        command=[*described.get("entrypoint", []), *described.get("command", [])],
        environment={key: str(value) for key, value in described.get("environment", {}).items()},
        health=health[1:],  # after CMD
        files={config["target"]: configs[config["source"]] for config in described.get("configs", [])},
    )
