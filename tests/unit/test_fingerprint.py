"""Whose fits are made again when a file changes: those that run it, and no others."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from recsys_jobs.contracts import source_hash
from recsys_jobs.contracts.settings import ROOT
from recsys_jobs.contracts.source_hash import sources, sources_hash
from recsys_jobs.models.closed_form.recipe import ease_text
from recsys_jobs.models.families import source_modules
from recsys_jobs.models.recipes import FAMILIES, FOLDERS, RECIPES, get_recipe
from recsys_jobs.registry.fingerprint import model_fingerprint
from recsys_jobs.training.recipe import ComposedRecipe, Recipe, is_iterative, part_recipes
from tests.unit.worlds import with_everything

MODELS = ROOT / "recsys_jobs" / "models"
# one recipe of each family, and every one that has parts
ASKED = list({make().family: name for name, make in RECIPES.items()}.values())
ASKED += [name for name, make in RECIPES.items() if isinstance(make(), ComposedRecipe) and name not in ASKED]
PLAIN = set(FAMILIES) - {"blend", "recent"}
TRAINED = {make().family for make in RECIPES.values() if is_iterative(make())} & PLAIN
FILES_OF_FAMILIES = [
    path.relative_to(MODELS).as_posix()
    for folder in FOLDERS
    for path in sorted((MODELS / folder).glob("*.py"))
    if path.name not in ("__init__.py", "recipe.py")
]
# a folder's files are run by all its families, but for these
RUN_BY = {
    "closed_form/ease_text.py": {"ease_text"},
    "closed_form/item_knn.py": {"item_knn"},
    "closed_form/popularity.py": {"popularity"},
    "closed_form/random_scores.py": {"random"},
    "closed_form/text_knn.py": {"text_knn"},
    "closed_form/user_knn.py": {"user_knn"},
    "sage_fm/end_to_end.py": {"sage_fm_end_to_end"},
    "sage_softmax/item_inputs.py": {"sage_fm_softmax", "sage_fm_recent"},
    "sage_softmax/network.py": {"sage_fm_softmax", "sage_fm_recent"},
    "sequence/catalogue.py": set(),
    "sequence/gated_sequence.py": {"gated_sequence"},
    "sequence/item_features.py": {"gated_sequence", "temporal_gpt2"},
    "sequence/sasrec.py": {"sasrec"},
    "sequence/temporal_gpt2.py": {"temporal_gpt2"},
    "sequence/time_features.py": {"temporal_gpt2"},
    "sequence/transformer.py": {"sasrec", "gated_sequence"},
}
# shared code: some families that run it, and some that do not
SHARED = {
    "data/dataset.py": (PLAIN, set()),
    "ranking/model.py": (PLAIN, set()),
    "training/loop.py": (TRAINED, PLAIN - TRAINED),
    "training/optimizers.py": (TRAINED, PLAIN - TRAINED),
    "torch_common/devices.py": (TRAINED, {"popularity", "item_knn"}),
    "training/pairwise.py": ({"sage_fm", "sage_fm_end_to_end", "lightgcn", "attention"}, {"sasrec", "sage_fm_softmax"}),
    "training/sampling.py": ({"sage_fm", "sage_fm_softmax", "sasrec", "lightgcn"}, {"ncf", "sage_fm_recent"}),
    "training/windows.py": ({"sage_fm_recent"}, {"sage_fm_softmax", "lightgcn"}),
    "data/recency.py": ({"sage_fm_recent"}, {"sage_fm_softmax", "item_knn"}),
    "embed/from_scratch/networks.py": ({"sage_fm_end_to_end"}, {"sage_fm"}),
    "models/base/item_to_item.py": ({"ease_text", "text_knn", "item_knn"}, {"user_knn", "lightgcn"}),
    "models/layers/fusion.py": ({"sage_fm", "gated_sequence", "temporal_gpt2"}, {"sasrec", "attention"}),
    "models/layers/matrix_inverse.py": ({"ease_text"}, {"text_knn"}),
}
RUN_BY_NONE = [
    "contracts/errors.py",
    "contracts/settings.py",
    "contracts/tables.py",
    "embed/from_scratch/photos.py",
    "evaluation/metrics.py",
    "models/families.py",
    "models/folded_model.py",
    "models/recipes.py",
    "models/tuned_recipes.py",
    "registry/fits.py",
    *[f"models/{folder}/recipe.py" for folder in FOLDERS],
]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    shutil.copytree(ROOT / "recsys_jobs", root / "recsys_jobs", ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture
def tree(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(source_hash, "ROOT", copied)
    yield copied / "recsys_jobs"
    sources_hash.cache_clear()


def hashes() -> dict[str, list[str]]:
    """Return what the fingerprint of each recipe has of sources."""
    sources_hash.cache_clear()
    return {name: [sources_hash(module) for module in source_modules(get_recipe(name))] for name in ASKED}


@cache
def as_it_stands() -> dict[str, list[str]]:
    return hashes()


def moved(path: Path, change: Callable[[str], str]) -> set[str]:
    """Return the recipes whose fits are others while a file is changed."""
    source = path.read_text()
    path.write_text(change(source))
    try:
        after = hashes()
    finally:
        path.write_text(source)
    return {name for name in ASKED if as_it_stands()[name] != after[name]}


def with_more_code(source: str) -> str:
    return f"{source}\nADDED = 1\n"


def that_run(families: set[str]) -> set[str]:
    """Return the recipes of these families, and those that have parts of them."""

    def runs(recipe: Recipe) -> bool:
        return recipe.family in families or any(map(runs, part_recipes(recipe)))

    return {name for name in ASKED if runs(get_recipe(name))}


def families_of(folder: str) -> set[str]:
    return {family for family, place in FAMILIES.items() if place.startswith(f"recsys_jobs.models.{folder}.")}


@pytest.mark.parametrize("file", FILES_OF_FAMILIES)
def test_a_file_of_a_family_moves_no_other_family(tree: Path, file: str) -> None:
    expected = RUN_BY.get(file, families_of(file.split("/")[0]))
    assert moved(tree / "models" / file, with_more_code) == that_run(expected)


@pytest.mark.parametrize("file", SHARED)
def test_shared_code_moves_those_that_run_it(tree: Path, file: str) -> None:
    run_by, others = SHARED[file]
    families = {get_recipe(name).family for name in moved(tree / file, with_more_code)}
    assert families >= run_by
    assert not families & others


@pytest.mark.parametrize("file", RUN_BY_NONE)
def test_what_no_fit_runs_moves_none(tree: Path, file: str) -> None:
    assert moved(tree / file, with_more_code) == set()


def test_an_error_sentence_a_default_and_a_registry_may_change(tree: Path) -> None:
    changes = {
        "contracts/errors.py": ("error: ", "alas: "),
        "contracts/settings.py": ("user_core: int = 5", "user_core: int = 6"),
        "models/recipes.py": ("unknown recipe", "no recipe"),
    }
    for file, (then, now) in changes.items():
        assert then in (tree / file).read_text()
        assert moved(tree / file, lambda source, then=then, now=now: source.replace(then, now)) == set()


def test_words_about_code_and_its_layout_move_none(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(copied, tmp_path / "root")
    monkeypatch.setattr(source_hash, "ROOT", tmp_path / "root")
    for path in (tmp_path / "root").rglob("*.py"):
        source = path.read_text()
        path.write_text(f"# a comment\n\n{_reworded(source)}\n\n# another\n")
    assert hashes() == as_it_stands()


def _reworded(source: str) -> str:
    """Return the source with another sentence in every docstring, all else as it was."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Expr(ast.Constant("Other words."))
    return ast.unparse(ast.fix_missing_locations(tree))


def test_a_recipe_is_its_values_and_those_of_its_parts() -> None:
    def fingerprint(recipe: Recipe) -> str:
        return model_fingerprint(with_everything(), recipe, 0, None)

    ease, blend = ease_text(), get_recipe("ease_kernel")
    assert fingerprint(replace(ease, ridge=7.0)) != fingerprint(ease)
    assert isinstance(blend, ComposedRecipe)
    (weight, first), *others = blend.parts
    for parts in ([(weight, replace(ease, ridge=7.0)), *others], [(0.3, first), *others], others):
        assert fingerprint(replace(blend, parts=tuple(parts))) != fingerprint(blend)


@pytest.mark.parametrize(
    ("file", "encoders"),
    [
        ("contracts/settings.py", set()),
        ("embed/from_scratch/wordpiece.py", {"text", "photos"}),
        ("embed/text.py", {"photos"}),
    ],
)
def test_an_encoder_from_scratch_is_of_the_code_that_trains_it(tree: Path, file: str, encoders: set[str]) -> None:
    def trained_by() -> dict[str, str]:
        sources_hash.cache_clear()
        return {name: sources_hash(f"recsys_jobs.embed.from_scratch.{name}") for name in ("text", "photos")}

    source, before = (tree / file).read_text(), trained_by()
    (tree / file).write_text(with_more_code(source))
    after = trained_by()
    (tree / file).write_text(source)
    assert {name for name, found in after.items() if before[name] != found} == encoders


LOADED = """
import importlib, json, sys
from recsys_jobs.models.families import source_modules
from recsys_jobs.models.recipes import FAMILIES

loaded = {}
for family, place in FAMILIES.items():
    for name in [name for name in sys.modules if name.startswith("recsys_jobs")]:
        del sys.modules[name]
    importlib.import_module(place)
    loaded[family] = [name for name in sys.modules if name.startswith("recsys_jobs")]
print(json.dumps(loaded))
"""


@pytest.mark.slow
def test_nothing_that_importing_a_family_loads_is_missing() -> None:
    """Python's own word on what a family's code rests on, against what is read of it."""
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    for family, names in json.loads(ran.stdout).items():
        read = {path.relative_to(ROOT).as_posix() for path in sources(FAMILIES[family])}
        files = {f"{name.replace('.', '/')}.py" for name in names}
        there = {file for file in files - read if (ROOT / file).is_file()}  # packages have a docstring alone
        assert {file for file in there if not _chooses(file)} == set()


def _chooses(file: str) -> bool:
    """Whether a file is one of those that are left out, or is loaded by such a one alone."""
    room, *_, name = Path(file).parts[1:]
    registries = ("families.py", "recipes.py", "tuned_recipes.py", "epochs.py")
    return room == "contracts" or name == "recipe.py" or name in registries
