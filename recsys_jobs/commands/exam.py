"""The command line of `recsys exam`. Its arguments stand with the exam's options."""

from __future__ import annotations

import argparse

from recsys_jobs.exam import options

NAME, WHAT, MORE = "exam", options.WHAT, options.MORE
add_arguments = options.add_arguments


def run(arguments: argparse.Namespace) -> None:
    """Examine the models; UsageError where an argument is wrong."""
    exam_options = options.options_from(arguments)
    from recsys_jobs.exam.run import run as run_exam

    run_exam(exam_options)
