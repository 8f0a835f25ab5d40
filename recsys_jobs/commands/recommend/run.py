"""From a call to what is asked: a plain history, or people of a data set or of the lake."""

from __future__ import annotations

import logging
import sys

from recsys_jobs.commands.recommend.options import Call


def run(call: Call) -> None:
    """Print, and maybe write, the slates that the call asks for; UsageError where nobody in it is known."""
    if call.history:
        from recsys_jobs.commands.recommend import for_history

        for_history.run(call, call.history)
        return
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    from recsys_jobs.commands.recommend import for_people, of_data, of_lake

    for_people.run(call, of_data.fitted(call, call.data) if call.data else of_lake.published(call))
