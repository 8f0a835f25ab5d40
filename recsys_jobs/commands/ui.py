"""The command line of `recsys ui`."""

from __future__ import annotations

import argparse

NAME, WHAT = "ui", "serve Airflow, MLflow and the data docs on localhost until Ctrl-C"
MORE = "Prints the addresses and how to log in."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys ui`."""
    for server, port in (("airflow", 8080), ("mlflow", 5000), ("docs", 8081)):
        parser.add_argument(f"--{server}-port", type=int, default=port, help="(default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    from recsys_jobs.operations.airflow.ui import Ports, serve

    serve(Ports(arguments.airflow_port, arguments.mlflow_port, arguments.docs_port))
