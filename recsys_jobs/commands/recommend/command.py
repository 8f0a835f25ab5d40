"""The command line of `recsys recommend`: for people of a data set or of the lake, or for a plain history."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from recsys_jobs.commands.recommend.options import SEQUENCE_RECIPES, RecommendOptions, options_of

NAME, WHAT = "recommend", "recommend for people of a data set or of the lake, or for a plain history file"
MORE = """
People are named (--user, --users-file), or drawn (--sample). With --data a recipe is fitted on all events of a
data set, or of a lake with --date, and asked; without, the model that the lake published on --date (default: the
newest) is asked again, with nothing of today's blocklist. --diversity chooses by maximal marginal relevance.

A history file has an item id a line, oldest first; a date, a time or seconds since 1970 may follow the id.
The person need not be known to the model. Ids that it does not know are told with their lines, and left out.
The model is the newest fit over sequences that MLflow keeps: of the lake (a serving fit before an exam fit), or with
--exam of the last exam of a data set. No data and no text or image is read for it: the catalogue of
item vectors was computed when the model was fitted.

examples:
  recsys recommend --user A2B3C4 --user A9X8 --out slates.json     # the lake's newest night
  recsys recommend --sample 10 --date 2014-03-01 --diversity 0.3
  recsys recommend --data data/shop --model ease_text --users-file people.txt --out slates.csv
  recsys recommend --history history.txt
  recsys recommend --history history.txt --user A2B3C4   # after what the lake has of that person
  recsys recommend --history history.txt --exam beauty --k 5 --out slate.csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys recommend`."""
    add = parser.add_argument
    add("--user", action="append", default=[], metavar="ID", help="a person; again for more")
    add("--users-file", type=Path, metavar="FILE", help="people, an id a line")
    add("--sample", type=int, default=0, metavar="N", help="N people at random, the same for the same --seed")
    add("--seed", type=int, default=0, help="of the sample and the fit (default: 0)")
    add("--data", type=Path, metavar="DIR", help="a data set's folder, as recsys exam reads it, or a lake's")
    add("--date", default="", metavar="D", help="a lake's run date, YYYY-MM-DD (default: the newest published)")
    add("--encoders", default="", metavar="VISION_LANGUAGE", help="of a data set's contents")
    add("--diversity", type=float, default=0.0, metavar="WEIGHT", help="of variety, 0 to 1 (default: 0)")
    add("--history", type=Path, metavar="FILE", help="an item id a line, oldest first")
    add("--model", default="", help="the recipe to fit on --data, or over sequences for --history: "
        f"{', '.join(SEQUENCE_RECIPES)} (default: the data's best; whichever was fitted last)")  # fmt: skip
    add("--exam", default="", metavar="DATA", help="for --history: a model of the last exam of this data set")
    add("--at", default="", metavar="TIME", help="for --history: when it is asked, as 2014-03-01 (default: now)")
    add("--k", type=int, default=20, help="how many items (default: %(default)s)")
    add("--out", type=Path, metavar="FILE", help="write the slates there, as .json or .csv says")


def run(arguments: argparse.Namespace) -> None:
    """Recommend; UsageError where an argument is wrong."""
    recommend(options_of(arguments))


def recommend(options: RecommendOptions) -> None:
    """Print, and maybe write, the slates that the options ask for; UsageError where nobody in them is known."""
    if options.history:
        from recsys_jobs.commands.recommend import for_history

        for_history.run(options, options.history)
        return
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    from recsys_jobs.commands.recommend import for_people
    from recsys_jobs.commands.recommend.fit_on_data import fit_on_data
    from recsys_jobs.commands.recommend.published_model import load_published

    source = fit_on_data(options, options.data) if options.data else load_published(options)
    for_people.run(options, source)
