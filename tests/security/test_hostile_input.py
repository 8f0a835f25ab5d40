"""What a stranger may send, one line an attempt: each is refused with one clear line, or shown as harmless text.

A stranger writes dumps, image servers' answers, model folders, SQL and ids; see docs/threat-model.md.
The figure (tried, refused) is printed when the run ends (tests/security/figure.py).
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import pickle
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pyarrow as pa
import pytest
from PIL import Image

from recsys_jobs.contracts.errors import JobError, UsageError, sanitize
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.images.fetch import Fetcher
from recsys_jobs.images.outcome import NoImage
from recsys_jobs.lake import delta
from recsys_jobs.training import checkpoints
from tests.components.image_server import Server, jpeg, running

DAY = date(2024, 1, 2)
MARKUP = "<script>alert(1)</script>"
ESCAPES = "\x1b[2J\x1b]0;owned\x07\rerror: forged\nerror: forged"
SECRET = "s3cr3t-word"


class Refused(Exception):  # noqa: N818
    """What came in was shown, but as text that does nothing."""


class World(NamedTuple):
    """What an attempt may use: a folder of its own, and a hostile web server."""

    folder: Path
    server: Server


Attempt = Callable[[World], object]
CLEAR = (UsageError, JobError, NoImage, Refused)


class Bomb:
    """Unpickled, it writes a file: proof that a pickle was read."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (self.proof,))  # type: ignore[return-value]


# --- SQL ---

SQL = [
    "attach '/tmp/other.db'",
    "attach ':memory:' as x; select 1",
    "copy recommendations to '/tmp/stolen.csv'",
    "copy recommendations from '/etc/passwd'",
    "export database '/tmp/stolen'",
    "import database '/tmp/stolen'",
    "install httpfs",
    "force install httpfs from 'http://127.0.0.1/'",
    "load httpfs",
    "load '/tmp/evil.duckdb_extension'",
    "pragma database_list",
    "pragma enable_external_access=true",
    "call pragma_version()",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "reset enable_external_access",
    "select 1; select 2",
    "select 1; drop view recommendations_latest",
    "select 1; set enable_external_access = true; select * from read_text('/etc/passwd')",
    "drop table recommendations",
    "delete from recommendations",
    "update recommendations set rank = 1",
    "insert into recommendations select * from recommendations",
    "truncate recommendations",
    "create table mine as select 1",
    "create macro f() as 1",
    "create secret (type s3, key_id 'a', secret 'b')",
    "with gone as (delete from recommendations returning *) select * from gone",
    "explain analyze delete from recommendations",
    "prepare q as select 1",
    "begin transaction",
    "checkpoint",
    "vacuum",
    "use memory",
    "select * from read_csv('/etc/passwd')",
    "select * from read_csv('../../../etc/passwd')",
    "select * from read_text('/proc/self/environ')",
    "select * from read_blob('/etc/passwd')",
    "select * from read_json('/etc/passwd')",
    "select * from read_parquet('/tmp/x.parquet')",
    "select * from parquet_metadata('/tmp/x.parquet')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from glob('/*')",
    "select * from '/etc/passwd'",
    "select * from 'http://127.0.0.1/x.csv'",
    "select * from read_csv('https://127.0.0.1/x.csv')",
    "select * from read_parquet('s3://bucket/x')",
    "select * from delta_scan('/tmp')",
    "select * from sqlite_scan('/tmp/x.db', 'x')",
    "select * from duckdb_secrets()",
    "select * from query('copy recommendations to ''/tmp/x''')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select * from read_text(''/etc/passwd'')'))",
    "select getenv('HOME')",
    "select * from arrow_scan(1, 1, 1)",
    "select * from python_map_function(1)",
    "select * from connection",  # a variable of the program that asks
    "select repeat('x', 100000000000)",
    "select cast(user_id as int) from recommendations",
    "select \x00",
    "",
    "-- nothing",
]


def sql(text: str) -> Attempt:
    def attempt(world: World) -> object:
        from recsys_jobs.lake.sql import show

        return show(text)

    return attempt


# --- ids, titles and names in pages, reports, terminals and logs ---


def inert(page: str, *forbidden: str) -> None:
    """Raise Refused where none of the forbidden stands in the page; return, which counts as got through, else."""
    if not any(word in page for word in forbidden):
        raise Refused("shown as text")


def report(world: World) -> None:
    from recsys_jobs.night.report_page import render

    row = {"slice": MARKUP, "metric": "ndcg", "k": 20, "recipe": MARKUP, "value": 0.1, "low": None, "high": None}
    decision = SimpleNamespace(decision=MARKUP, reason=MARKUP)
    inert(render(MARKUP, decision, {MARKUP: MARKUP}, [row | {"users": 3}], 20, {}), MARKUP)


def gate_page(world: World) -> None:
    from expectations.pages import _escaped, _with_rows

    shown = _escaped(_with_rows({"unexpected_rows": [{"title": MARKUP, MARKUP: MARKUP}], "observed_value": MARKUP}))
    inert(json.dumps(shown), MARKUP)


def gate_index(world: World) -> None:
    from expectations.pages import index

    place = world.folder / "results" / "<img src=x onerror=alert(1)>" / "2024-01-02" / "moment"
    place.mkdir(parents=True)
    statistics = {"successful_expectations": 1, "evaluated_expectations": 1}
    meta = {"validation_time": "<script>x"}
    stored = {"success": True, "statistics": statistics, "meta": meta}
    (place / "b.json").write_text(json.dumps(stored), encoding="utf-8")
    inert(index(world.folder), "<img src=x", "<script>x")


def terminal_title(world: World) -> None:
    from recsys_jobs.commands.show.slate import _rows

    [row] = _rows(_OneRow(ESCAPES), "", DAY, "u")  # type: ignore[arg-type]
    inert(str(row[3]), "\x1b", "\n", "\r", "\x07")


class _OneRow:
    """Stands in for a connection: the query's one row has this title."""

    def __init__(self, title: str) -> None:
        self.title = title

    def execute(self, *_: object) -> _OneRow:
        return self

    def fetchall(self) -> list[tuple[object, ...]]:
        return [(1, 2, "i1", self.title)]


def error_line(world: World) -> None:
    code = f"from recsys_jobs.contracts.errors import *\ndef f(): raise JobError({ESCAPES!r})\nrun_main(f)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    inert(done.stderr.decode().removesuffix("\n"), "\x1b", "\n", "\r", "\x07")


def table_cell(world: World) -> None:
    out = io.StringIO()
    stdout, sys.stdout = sys.stdout, out
    try:
        sql("select chr(27) || '[2J' as title")(world)
    finally:
        sys.stdout = stdout
    inert(out.getvalue(), "\x1b")


def picture_title(world: World) -> None:
    import duckdb

    from recsys_jobs.commands.show.slate_picture import draw

    with duckdb.connect() as connection:
        connection.execute("create table contents (as_of date, item_id text, modality text, content_hash text)")
        rows = {ESCAPES: [("i1", title) for title in (ESCAPES, MARKUP, "$\\frac{$", "\x00" * 9, "x" * 100_000)]}
        draw(connection, DAY, rows, world.folder / "slate.png")
    assert Image.open(world.folder / "slate.png").size[1] < 2_000
    raise Refused("drawn as text")


# --- paths and options in ids, dates and names ---


def recipe_name(name: str) -> Attempt:
    def attempt(world: World) -> object:
        from recsys_jobs.models.recipes import get_recipe

        return get_recipe(name)

    return attempt


def run_date(text: str) -> Attempt:
    def attempt(world: World) -> object:
        from recsys_jobs.contracts.settings import parse_date

        return parse_date(text)

    return attempt


def shown_user(user: str) -> Attempt:
    def attempt(world: World) -> object:
        from recsys_jobs.commands.show.slate import show_slate

        return show_slate(user)

    return attempt


def forgotten_user(user: str) -> Attempt:
    def attempt(world: World) -> object:
        from recsys_jobs.operations.erasure.forget import forget

        return forget(user)

    return attempt


def landed_photo(name: str) -> Attempt:
    """A file among the photos that would be taken in under this name."""

    def attempt(world: World) -> None:
        from recsys_jobs.images.local import files

        folder = world.folder / "zone" / "shop" / "images"
        folder.mkdir(parents=True)
        (folder / name).write_bytes(jpeg())
        if not list(files(world.folder / "zone")):
            raise Refused("left alone")

    return attempt


def link_out_of_the_zone(world: World) -> object:
    from recsys_jobs.images.local import read

    folder = world.folder / "zone" / "shop" / "images"
    folder.mkdir(parents=True)
    (folder / "i1.jpg").symlink_to("/etc/passwd")
    return read(world.folder / "zone", "shop/images/i1.jpg", 1_000_000)


def configuration(text: str) -> Attempt:
    def attempt(world: World) -> object:
        from recsys_jobs.contracts.settings import load_settings

        (world.folder / "c.toml").write_text(text, encoding="utf-8")
        return load_settings(str(world.folder / "c.toml"))

    return attempt


def blocklist(data: bytes) -> Attempt:
    def attempt(world: World) -> object:
        from recsys_jobs.publishing.blocklist import load_blocklist

        (delta.lake_root() / "blocklist.csv").write_bytes(data)
        return load_blocklist()

    return attempt


# --- pickles and other files in the place of weights ---


def never_run(world: World, attempt: Callable[[Path], object]) -> object:
    """Hand over a pickle, and make sure that it did not run."""
    proof = world.folder / "ran"
    weights = world.folder / "weights.safetensors"
    weights.write_bytes(pickle.dumps(Bomb(proof)))
    try:
        return attempt(weights)
    finally:
        assert not proof.exists(), "the pickle was read"


def pickled_fit(world: World) -> object:
    from recsys_jobs.registry import fits, mlflow_client

    def attempt(weights: Path) -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mlflow_client, "fetch", lambda *_: weights)
            return fits.stored_weights("r1")

    return never_run(world, attempt)


def pickled_checkpoint(world: World) -> None:
    def attempt(weights: Path) -> None:
        if checkpoints.load(weights, "x") is None:
            raise Refused("training starts anew")

    never_run(world, attempt)


def pickled_encoder(name: str) -> Attempt:
    """A model folder whose weights are a pickle, under this file name."""

    def attempt(world: World) -> object:
        from recsys_jobs.embed.loading import load_model
        from recsys_jobs.embed.registry import find_source

        def load(weights: Path) -> object:
            import torch

            folder = world.folder / "model"
            folder.mkdir()
            (folder / "config.json").write_text('{"model_type": "bert", "hidden_size": 8, "num_attention_heads": 1}')
            weights.rename(folder / name)
            return load_model(find_source(Settings(text_encoder=str(folder)), "text").folder, torch.device("cpu"))

        return never_run(world, load)

    return attempt


def encoder_index(shard: str) -> Attempt:
    """A model folder whose index names weights outside of it."""

    def attempt(world: World) -> object:
        from recsys_jobs.embed.registry import encoder_name

        folder = world.folder / "model"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
        return encoder_name(Settings(text_encoder=str(folder)), "text")

    return attempt


def code_in_a_model(world: World) -> object:
    import torch

    from recsys_jobs.embed.loading import load_model

    (world.folder / "evil.py").write_text(f"from pathlib import Path; Path({str(world.folder / 'ran')!r}).touch()")
    auto = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (world.folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto}))
    try:
        return load_model(world.folder, torch.device("cpu"))
    finally:
        assert not (world.folder / "ran").exists()


# --- image servers ---


def image(prepare: Callable[[Server], str], **changes: object) -> Attempt:
    """Fetch what the server was prepared with, and decode it."""

    def attempt(world: World) -> object:
        from recsys_jobs.images.validate import normalise

        settings = Settings(
            image_timeout=1.0,
            image_deadline=5.0,
            image_retries=0,
            image_max_bytes=200_000,
            image_max_pixels=1_000_000,
            image_allowed_hosts=(world.server.name,),
        )
        with Fetcher(replace(settings, **changes)) as fetcher:  # type: ignore[arg-type]
            data = fetcher.fetch(prepare(world.server))
        return normalise(data, settings.image_side, settings.image_max_pixels)

    return attempt


def redirect(location: str) -> Attempt:
    return image(lambda server: server.redirect("/a.jpg", location.replace("PORT", str(server.server_address[1]))))


def served(body: Callable[[], bytes], **headers: str) -> Attempt:
    return image(lambda server: server.serve("/a.jpg", body(), **headers))


def pixel_bomb() -> bytes:
    """20,000 x 20,000 pixels of one colour in a few kB."""
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    return out.getvalue()


def text_bomb() -> bytes:
    """A PNG whose text chunk inflates to 200 MB."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("x", "0" * 200_000_000, zip=True)
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


# --- dumps: bombs and oversized fields ---


def dump(data: Callable[[], bytes]) -> Attempt:
    """A landed gzip, seen before anything parses it."""

    def attempt(world: World) -> None:
        from spark.arrivals import look
        from spark.landing import LandedFile

        path = world.folder / "a.json.gz"
        path.write_bytes(data())
        (arrival,) = look([LandedFile("shop/reviews/a.json.gz", "shop", "reviews", None, path)], {}).arrivals
        if arrival.problem:
            raise JobError(arrival.problem)

    return attempt


def item_line(line: str) -> Attempt:
    """A line of an items file of 2014, which holds Python literals."""

    def attempt(world: World) -> None:
        from spark.item_fields import item_json

        if item_json(line) is None:
            raise Refused("quarantined: invalid_json")

    return attempt


def exam_line(line: str) -> Attempt:
    def attempt(world: World) -> object:
        from recsys_jobs.data.readers.files import json_lines

        path = world.folder / "items.jsonl.gz"
        path.write_bytes(gzip.compress(line.encode(), 1))
        return list(json_lines(path))

    return attempt


# --- secrets ---


def said(text: str) -> None:
    inert(text, SECRET)


def database_password(world: World) -> None:
    said(sanitize(f"MLflow at postgresql://mlflow:{SECRET}@db:5432/mlflow has no exam fit"))


def password_of_a_failed_job(world: World) -> None:
    fails = f"def f(): raise JobError('http://u:{SECRET}@host/ is down')"
    code = f"from recsys_jobs.contracts.errors import *\n{fails}\nrun_main(f)"
    said(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr)


def password_of_an_image(world: World) -> object:
    try:
        return image(lambda server: f"http://user:{SECRET}@{server.name}/a.jpg")(world)
    except NoImage as error:
        said(str(error))
        raise AssertionError(str(error)) from None


def alert_address(address: str) -> Attempt:
    """The address of the alerts' hook is its password: a hook that fails must not put it into the log."""

    def attempt(world: World) -> None:
        from plugins import alerts

        lines: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
        alerts.log.addHandler(handler)
        task = SimpleNamespace(dag_id="nightly", task_id="train")
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("RECSYS_ALERT_URL", address.replace("SERVER", world.server.name))
                alerts.alert_failure({"task_instance": task, "run_id": "r", "exception": "x"})
        finally:
            alerts.log.removeHandler(handler)
        assert lines[-1].startswith("the alert could not be posted")
        said(" ".join(lines))

    return attempt


def password_file(world: World) -> None:
    from recsys_jobs.operations.airflow.local_airflow import login_environment

    login_environment(world.folder / "passwords.json", 8080)
    if (world.folder / "passwords.json").stat().st_mode & 0o077 == 0:
        raise Refused("readable by its owner alone")


def salt_file(world: World) -> None:
    from recsys_jobs.contracts.erased_users import add_erased_user

    add_erased_user("A1")
    if (delta.lake_root() / "forgotten.json").stat().st_mode & 0o077 == 0:
        raise Refused("readable by its owner alone")


ATTEMPTS: dict[str, dict[str, Attempt]] = {
    "sql": {text: sql(text) for text in SQL},
    "markup": {
        "report": report,
        "rows on a gate's page": gate_page,
        "index of the gates": gate_index,
        "title on a terminal": terminal_title,
        "error line on a terminal": error_line,
        "cell of a table on a terminal": table_cell,
        "titles in a picture": picture_title,
    },
    "path": {
        **{f"recipe {name}": recipe_name(name) for name in ("../../x", "os.system", "sage_fm; rm -rf /", "__class__")},
        **{f"date {text}": run_date(text) for text in ("2014-03-01; rm -rf /", "../2014", "$(id)", "1' OR 1=1")},
        **{f"user {user}": shown_user(user) for user in ("../../etc/passwd", "' OR 1=1 --", MARKUP)},
        **{f"forget {user}": forgotten_user(user) for user in ("", "../..", "*", "' OR 1=1 --", "x" * 1000, ".")},
        **{f"photo {name}": landed_photo(name) for name in ("..x.jpg", "a b.jpg", "$(id).jpg", ".hidden.jpg", "ä.jpg")},
        "photo that is a link": link_out_of_the_zone,
        "setting unknown": configuration("__class__ = 1"),
        "setting of another type": configuration('k = "20; rm"'),
        "setting of broken TOML": configuration("k = = 1"),
        "blocklist binary": blocklist(b"kind,value\nitem,\xff\xfe\n"),
        "blocklist huge cell": blocklist(b"kind,value\nitem," + b"x" * 200_000 + b"\n"),
        "blocklist open quote": blocklist(b'kind,value\nitem,"B1\n'),
        "blocklist other kind": blocklist(b"kind,value\nselect,1\n"),
    },
    "pickle": {
        "weights of a fit": pickled_fit,
        "checkpoint": pickled_checkpoint,
        **{f"encoder's {n}": pickled_encoder(n) for n in ("model.safetensors", "pytorch_model.bin", "model.pkl")},
        "encoder's code": code_in_a_model,
        **{f"encoder's shard {s}": encoder_index(s) for s in ("../../etc/passwd", "/etc/passwd", "a/../../x")},
    },
    "redirect": {
        place: redirect(place)
        for place in (
            "http://127.0.0.1:PORT/secret",
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/",
            "http://192.168.1.1/",
            "file:///etc/passwd",
            "ftp://127.0.0.1/",
            "gopher://127.0.0.1/",
            "http://user:word@localhost:PORT/",
            "http://localhost:22/",
            "/a.jpg",  # in a circle
            "http://" + "x" * 3000,
        )
    },
    "bomb": {
        "pixels": served(pixel_bomb),
        "text chunk": served(text_bomb),
        "compressed answer": served(lambda: zlib.compress(b"\0" * 10_000_000), Content_Encoding="deflate"),
        "answer without end": image(lambda server: server.url("/flood")),
        "answer above the limit": served(lambda: b"x" * 300_000),
        "page for a picture": served(lambda: MARKUP.encode()),
        "SVG for a picture": served(lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'),
        "gzip of zeros": dump(lambda: gzip.compress(b"0" * (65 << 20), 1)),
        "gzip cut short": dump(lambda: gzip.compress(b"{}\n" * 1000)[:-9]),
        "gzip that is none": dump(lambda: b"PK\x03\x04" + b"\0" * 99),
        "brackets in an item": item_line("[" * 100_000),
        "signs in an item": item_line("{'a': " + "-" * 100_000 + "1}"),
        "power in an item": item_line("{'a': 9**9**9**9}"),
        "repetition in an item": item_line("{'a': 'x' * 10**12}"),
        "call in an item": item_line("{'a': __import__('os').system('id')}"),
        "digits in an item": item_line("{'a': " + "9" * 1_000_000 + "}"),
        "brackets in an exam": exam_line("[" * 100_000),
        "endless line in an exam": exam_line("x" * 10_000_001),
    },
    "secret": {
        "database password": database_password,
        "password in a job's error": password_of_a_failed_job,
        "password in an image's URL": password_of_an_image,
        "alert hook that is gone": alert_address(f"http://SERVER/{SECRET}"),
        "alert hook misspelt": alert_address(f"http://localhost:{SECRET}/hook"),
        "alert hook of no host": alert_address(f"http:///{SECRET}"),
        "Airflow's password": password_file,
        "salt of the forgotten": salt_file,
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as it:
        it.serve("/secret", jpeg())
        yield it


@pytest.fixture
def world(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A lake with one published night, and nothing else."""
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path / "shop"))
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("RECSYS_LANDING", str(tmp_path / "landing"))
    row = dict(zip(RECOMMENDATIONS.names, [[DAY], ["ann"], [1], ["i1"], [1.0], ["m"], [1], ["f"]], strict=True))
    delta.replace_date(RECOMMENDATIONS, DAY, pa.table(row))
    return World(tmp_path, server)


CASES = [
    pytest.param(attempt, id=f"{area}: {sanitize(what)[:60]}")
    for area, attempts in ATTEMPTS.items()
    for what, attempt in attempts.items()
]


@pytest.mark.parametrize("attempt", CASES)
def test_it_is_refused_in_one_clear_line(attempt: Attempt, world: World) -> None:
    before = delta.version(RECOMMENDATIONS)
    with pytest.raises(CLEAR) as caught:
        attempt(world)
    text = str(caught.value)
    assert text.strip() and len(text) < 2_000 and len(sanitize(text).splitlines()) == 1
    assert delta.version(RECOMMENDATIONS) == before
    assert world.server.requests["/secret"] == 0, "the server's secret was fetched"
