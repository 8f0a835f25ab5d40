"""The command line of `recsys exam`. Standard library only."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import parse_date
from recsys_jobs.models.recipes import RECIPES, best_recipe, get_recipe

WHAT = "train models on any data set and measure them by a named protocol"
MORE = """
DATA is a folder of one of these layouts, told by its files:
  interactions.tsv.gz (user, item, split) + items.jsonl.gz        a published split
  sequences.txt.gz (user item item ...) + items.jsonl.gz          sequences in time order
  item_info.csv + interactions.csv [+ images/{item_id}.jpg]       a shop's export
  ratings.dat + movies.dat                                        MovieLens-1M
  interactions/_delta_log and its sisters                         a lake, with --date

Protocols: file (the data's own split), global_time, leave_last_out, per_user_random,
stratified (by item popularity), user_based (new users), item_based (new items).
Default: the strictest that the data allows. Shares are 8 : 1 : 1.

Figures are of the validation part: fitted on train, measured on validation. --final
measures on test, once; each such look at a data set is counted and told. With --refit
each model is fitted again on train and validation before that, for the epochs it took.

examples:
  recsys exam data/sports --models popularity,ease_text
  recsys exam data/sports --models best --final --out var/sports.json
  recsys exam data/sports --models best --final --refit
  recsys exam data/ml-1m --protocol leave_last_out --sampled random
  recsys exam data/ml-1m --models ncf_rating --user 1
  recsys exam data/shop --models ease_text --predictions slates.jsonl --diversity 0.1,0.3,0.5
  recsys exam data/shop --models sage_fm_seed --encoders clip_mpnet --remove image,text
"""
MODALITIES = ("image", "text")
MASKS = ("train_validation", "train", "both")


@dataclass(frozen=True)
class ExamOptions:
    """The options of one exam; an empty `protocol` is the data's default one, an empty `sampled` full ranking."""

    data: Path
    models: tuple[str, ...]
    protocol: str = ""
    final: bool = False
    refit: bool = False
    out: Path | None = None
    k_values: tuple[int, ...] = (10, 20)
    mask: str = MASKS[0]
    task: str = "retrieval"
    sampled: str = ""
    negatives: int = 100
    seed: int = 0
    run_date: date | None = None
    core: int | None = None
    user: str = ""
    encoders: str = ""
    remove: tuple[str, ...] = ()
    predictions: Path | None = None
    diversity: tuple[float, ...] = ()
    wandb: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys exam`."""
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="the data set's folder")
    add("--models", default="best", help=f"recipes, as in a,b; best, or of: {', '.join(RECIPES)} (default: best)")
    add("--protocol", default="", help="how events are divided (default: see above)")
    add("--final", action="store_true", help="measure on test instead of validation, and count it")
    add("--refit", action="store_true", help="with --final: fit again on train and validation, for as many epochs")
    add("--out", type=Path, metavar="FILE.json", help="the rows, plots beside them (default: under var/exams)")
    add("--k", default="10,20", help="slate lengths (default: 10,20)")
    add("--mask", choices=MASKS, default=MASKS[0], help="what is masked at test (default: train_validation)")
    add("--task", choices=("retrieval", "ranking"), default="retrieval", help="slates of K, or the whole order")
    add("--sampled", choices=("random", "popularity"), default="", help="rank among sampled negatives: it flatters")
    add("--negatives", type=int, default=100, metavar="N", help="how many of them a user gets (default: 100)")
    add("--seed", type=int, default=0, help="of the split, the fits and the intervals (default: 0)")
    add("--date", default="", metavar="D", help="a lake's run date, YYYY-MM-DD")
    add("--user", default="", metavar="ID", help="also print this user's top ten by each model")
    add("--encoders", default="", metavar="VISION_LANGUAGE", help="of contents, as in resnet_sentence-bert")
    add("--remove", default="", metavar="MODALITIES", help="image, text or both: also with 30, 60, 90 %% gone")
    add("--predictions", type=Path, metavar="FILE", help="write each user's top K, .jsonl or .parquet")
    add("--diversity", default="", metavar="WEIGHTS", help="also with variety weighing so much, as in 0.1,0.3,0.5")
    add("--wandb", default="", metavar="PROJECT", help="log to Weights & Biases, too (WANDB_MODE=offline: a folder)")
    add("--core", type=int, metavar="N", help="learn from users and items of N events (default: a lake's own)")


def options_from(arguments: argparse.Namespace) -> ExamOptions:
    """Return the options that the arguments give; UsageError where one is wrong."""
    if arguments.negatives < 1:
        raise UsageError(f"--negatives is {arguments.negatives}: write a number above 0")
    return ExamOptions(
        data=arguments.data.absolute(),
        models=_models(arguments.models),
        protocol=arguments.protocol.replace("-", "_"),
        final=arguments.final,
        refit=_refit(arguments),
        out=arguments.out and arguments.out.absolute(),
        k_values=_k_values(arguments.k),
        mask=arguments.mask,
        task=arguments.task,
        sampled=arguments.sampled,
        negatives=arguments.negatives,
        seed=arguments.seed,
        run_date=parse_date(arguments.date) if arguments.date else None,
        core=arguments.core,
        user=arguments.user,
        encoders=arguments.encoders,
        remove=_modalities(arguments.remove),
        predictions=_predictions(arguments),
        diversity=_weights(arguments),
        wandb=arguments.wandb,
    )


def recipe_names(options: ExamOptions, layout: str) -> list[str]:
    """Return the names of the recipes, `best` resolved, each once."""
    return list(dict.fromkeys(best_recipe(layout) if name == "best" else name for name in options.models))


def _models(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError("--models names none: write --models popularity,ease_text, or best")
    for name in names:
        if name != "best":
            get_recipe(name)
    return names


def _refit(arguments: argparse.Namespace) -> bool:
    if arguments.refit and not arguments.final:
        raise UsageError("--refit learns from what validates: it is for the test part alone, so say --final, too")
    if arguments.refit and arguments.mask != MASKS[0]:
        raise UsageError(
            f"--refit knows the validation items, which are masked then: leave --mask {arguments.mask} out"
        )
    return bool(arguments.refit)


def _modalities(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if wrong := [name for name in names if name not in MODALITIES]:
        raise UsageError(f"--remove {wrong[0]}: name one of {', '.join(MODALITIES)}, or both")
    return names


def _predictions(arguments: argparse.Namespace) -> Path | None:
    path: Path | None = arguments.predictions
    if path is None:
        return None
    if path.suffix not in (".jsonl", ".parquet"):
        raise UsageError(f"--predictions {path}: end its name in .jsonl or .parquet")
    _require_slates(arguments, "--predictions")
    return path.absolute()


def _weights(arguments: argparse.Namespace) -> tuple[float, ...]:
    try:
        weights = sorted({float(part) for part in arguments.diversity.split(",") if part.strip()})
    except ValueError:
        weights = [-1.0]
    if weights and not 0 <= weights[0] <= weights[-1] <= 1:
        raise UsageError(f"--diversity {arguments.diversity}: write weights from 0 to 1, as in 0.1,0.3")
    if weights:
        _require_slates(arguments, "--diversity")
    return tuple(weight for weight in weights if weight)  # 0 is the exam itself


def _require_slates(arguments: argparse.Namespace, option: str) -> None:
    if arguments.sampled or arguments.task != "retrieval":
        raise UsageError(f"{option} is of slates by full ranking: leave --sampled and --task ranking out")


def _k_values(text: str) -> tuple[int, ...]:
    try:
        values = sorted({int(part) for part in text.split(",")})
    except ValueError:
        values = [0]
    if values[0] < 1:
        raise UsageError(f"--k is {text!r}: write whole numbers above 0, as in 10,20")
    return tuple(values)
