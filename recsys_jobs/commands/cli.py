"""The one console command, `recsys`. Subcommands import what they need when they run, so that help is quick."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from recsys_jobs.commands import bakeoff, checkpoints, operator
from recsys_jobs.commands import embeddings as stored_command
from recsys_jobs.commands import promotion as promotion_call
from recsys_jobs.commands import tune as tuning_call
from recsys_jobs.commands.recommend import options as recommend_call
from recsys_jobs.commands.why import command as why_command
from recsys_jobs.contracts.errors import run_main
from recsys_jobs.contracts.settings import parse_date
from recsys_jobs.exam import options as exam_call
from recsys_jobs.sample.dates import DEFAULT_USERS, SECOND_NIGHT

_EPILOG = """\
places and configuration come from the environment:
  RECSYS_LANDING        where raw dumps land                    (default: var/landing)
  RECSYS_LAKE           where the Delta tables stand            (default: var/lake)
  RECSYS_CONFIG         a configuration's name or a TOML file   (default: default)
  RECSYS_DEVICE         auto, cpu or cuda                       (default: auto)
  RECSYS_SPARK_MASTER   Spark's master                          (default: local[*])
  MLFLOW_TRACKING_URI   MLflow's server or database             (default: SQLite under var/mlflow)
exit status: 0 done, 1 the work failed, 2 the call was wrong
"""


def parser() -> argparse.ArgumentParser:
    """The command line of `recsys`."""
    top = argparse.ArgumentParser(
        prog="recsys",
        description="A nightly multimodal recommender: from raw review dumps to a top-K table.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_night(commands)
    _add_backfill(commands)
    _add_diff(commands)
    _add_sample(commands)
    _add_sql(commands)
    _add_show(commands)
    why_command.add_arguments(_command(commands, "why", why_command.WHAT, why_command.run))
    _add_exam(commands)
    _add_recommend(commands)
    stored_command.add_arguments(_command(commands, "embeddings", stored_command.WHAT, stored_command.run))
    name, what = "checkpoints", checkpoints.WHAT
    checkpoints.add_arguments(_command(commands, name, what, checkpoints.run))
    _add_ui(commands)
    for name, (what, add_arguments, run) in promotion_call.COMMANDS.items():
        add_arguments(_command(commands, name, what, run))
    bakeoff.add_arguments(_command(commands, "bakeoff", bakeoff.WHAT, bakeoff.run, bakeoff.MORE))
    tuning_call.add_arguments(_command(commands, "tune", tuning_call.WHAT, tuning_call.run, tuning_call.MORE))
    operator.add_to(commands, _command)
    return top


def _command(
    commands: argparse._SubParsersAction, name: str, what: str, run: Callable, more: str = ""
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}. {more}".strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def _add_demo(commands: argparse._SubParsersAction) -> None:
    _command(
        commands,
        "demo",
        "make the sample dumps, run two nights on them through Airflow, and sum up",
        _demo,
        "Everything goes under var/demo; a second call finds what the first one did.",
    )


def _add_night(commands: argparse._SubParsersAction) -> None:
    night = _command(
        commands, "night", "run one night through Airflow", _night, "Running the same date again is safe and cheap."
    )
    night.add_argument("date", help="the run date, YYYY-MM-DD: the night has the events before the end of it")
    night.add_argument("--recipe", default="", help="fit this recipe instead of the one in force")
    night.add_argument("--allow-refused", action="store_true", help="go on without the files that were refused")


def _add_backfill(commands: argparse._SubParsersAction) -> None:
    backfill = _command(
        commands,
        "backfill",
        "run the nights of a range of dates through Airflow's own backfill",
        _backfill,
        "A date is missing while no run of it has succeeded. Starts an Airflow if none serves this home.",
    )
    backfill.add_argument("first", help="the first date, YYYY-MM-DD")
    backfill.add_argument("last", help="the last date, YYYY-MM-DD")
    backfill.add_argument("--rerun", action="store_true", help="run the dates that have succeeded, too")
    backfill.add_argument("--reverse", action="store_true", help="the latest date first")
    backfill.add_argument("--allow-refused", action="store_true", help="go on without the files that were refused")


def _add_diff(commands: argparse._SubParsersAction) -> None:
    diff = _command(
        commands,
        "diff",
        "compare the date-keyed tables of two lakes",
        _diff,
        "Provenance aside, ranks exactly, scores to 1e-5. Exit status 1 where they differ.",
    )
    diff.add_argument("lake_a", type=Path, metavar="LAKE_A", help="a folder such as RECSYS_LAKE names")
    diff.add_argument("lake_b", type=Path, metavar="LAKE_B", help="another one")
    diff.add_argument("--date", help="compare the rows of this date alone, YYYY-MM-DD")


def _add_sample(commands: argparse._SubParsersAction) -> None:
    sample = _command(commands, "sample", "write sample dumps: people with tastes, items with photos", _sample)
    sample.add_argument("--out", required=True, help="the landing zone to write")
    sample.add_argument("--users", type=int, default=DEFAULT_USERS, help="how many people (default: %(default)s)")
    sample.add_argument("--seed", type=int, default=0, help="same seed and size, same bytes (default: 0)")
    sample.add_argument(
        "--until", default=str(SECOND_NIGHT), help="the last dated folder, YYYY-MM-DD (default: %(default)s)"
    )


def _add_sql(commands: argparse._SubParsersAction) -> None:
    sql = _command(
        commands,
        "sql",
        "answer one SELECT from the published tables",
        _sql,
        'Example: recsys sql "select * from recommendations_latest where rank = 1 limit 5"',
    )
    sql.add_argument(
        "query", nargs="?", default=os.environ.get("RECSYS_QUERY"), help="the SELECT (default: RECSYS_QUERY)"
    )
    sql.add_argument("--format", choices=("table", "csv"), default="table", help="how to print it (default: table)")


def _add_show(commands: argparse._SubParsersAction) -> None:
    show = _command(commands, "show", "one user's history and slate, with titles", _show)
    show.add_argument("user", nargs="?", help="the user's id (default: a user with a middling history)")
    show.add_argument("--date", help="the run date, YYYY-MM-DD (default: the latest)")
    show.add_argument("--picture", type=Path, metavar="FILE.png", help="draw both with their photos, too")


def _add_exam(commands: argparse._SubParsersAction) -> None:
    exam_call.add_arguments(_command(commands, "exam", exam_call.WHAT, _exam, exam_call.MORE))


def _add_recommend(commands: argparse._SubParsersAction) -> None:
    recommend_call.add_arguments(_command(commands, "recommend", recommend_call.WHAT, _recommend, recommend_call.MORE))


def _add_ui(commands: argparse._SubParsersAction) -> None:
    ui = _command(
        commands,
        "ui",
        "serve Airflow, MLflow and the data docs on localhost until Ctrl-C",
        _ui,
        "Prints the addresses and how to log in.",
    )
    for name, port in (("airflow", 8080), ("mlflow", 5000), ("docs", 8081)):
        ui.add_argument(f"--{name}-port", type=int, default=port, help="(default: %(default)s)")


def _demo(_: argparse.Namespace) -> None:
    from recsys_jobs.commands.demo import run_demo

    run_demo()


def _night(arguments: argparse.Namespace) -> None:
    from recsys_jobs.operations.airflow.night_runner import run_night

    run_night(parse_date(arguments.date), arguments.recipe, arguments.allow_refused)


def _backfill(arguments: argparse.Namespace) -> None:
    from recsys_jobs.operations.airflow.backfill import BackfillOptions, backfill

    first, last = parse_date(arguments.first), parse_date(arguments.last)
    backfill(BackfillOptions(first, last, arguments.rerun, arguments.reverse, arguments.allow_refused))


def _diff(arguments: argparse.Namespace) -> None:
    from recsys_jobs.commands.lake_diff import show

    day = parse_date(arguments.date) if arguments.date else None
    show(arguments.lake_a.absolute(), arguments.lake_b.absolute(), day)


def _sample(arguments: argparse.Namespace) -> None:
    from recsys_jobs.sample.landing import write

    print(write(Path(arguments.out), arguments.users, arguments.seed, parse_date(arguments.until)))


def _sql(arguments: argparse.Namespace) -> None:
    from recsys_jobs.contracts.errors import UsageError
    from recsys_jobs.lake.sql import show

    if not arguments.query:
        raise UsageError('no query: recsys sql "select …", or make sql Q="select …"')
    show(arguments.query, as_csv=arguments.format == "csv")


def _show(arguments: argparse.Namespace) -> None:
    from recsys_jobs.commands.show.slate import show_slate

    show_slate(arguments.user, parse_date(arguments.date) if arguments.date else None, arguments.picture)


def _exam(arguments: argparse.Namespace) -> None:
    call = exam_call.options_from(arguments)
    from recsys_jobs.exam.run import run

    run(call)


def _recommend(arguments: argparse.Namespace) -> None:
    call = recommend_call.call_of(arguments)
    from recsys_jobs.commands.recommend.run import run

    run(call)


def _ui(arguments: argparse.Namespace) -> None:
    from recsys_jobs.operations.airflow.ui import Ports, serve

    serve(Ports(arguments.airflow_port, arguments.mlflow_port, arguments.docs_port))


def main() -> None:
    """Entry point of the console command."""
    arguments = parser().parse_args()
    run_main(lambda: arguments.run(arguments))


if __name__ == "__main__":
    main()
