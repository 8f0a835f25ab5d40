"""The image intake against a real server, a real landing zone and a real lake."""

from __future__ import annotations

import datetime
import logging
import socket
import ssl
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import ITEM_IMAGES, ITEMS
from recsys_jobs.images import __main__ as step
from recsys_jobs.images import store
from recsys_jobs.images.fetch import Fetcher
from recsys_jobs.images.intake import Counts, IntakeContext, run_intake
from recsys_jobs.images.ledger import Ledger, Row
from recsys_jobs.images.outcome import NoImage, Outcome
from recsys_jobs.lake import delta
from tests.components.image_server import Server, jpeg, running

DAY, NEXT = date(2014, 3, 1), date(2014, 3, 2)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as it:
        yield it


def settings(server: Server, **changes: Any) -> Settings:
    base = Settings(
        image_workers=4,
        image_timeout=0.5,
        image_deadline=1.0,
        image_retries=0,
        image_max_bytes=100_000,
        image_max_pixels=1_000_000,
        image_allowed_hosts=(server.name,),
    )
    return replace(base, **changes)


def fetch(server: Server, url: str, **changes: Any) -> bytes:
    with Fetcher(settings(server, **changes)) as fetcher:
        return fetcher.fetch(url)


def refusal(server: Server, url: str, **changes: Any) -> tuple[str, str]:
    with pytest.raises(NoImage) as caught:
        fetch(server, url, **changes)
    return caught.value.state, caught.value.detail


def free_port() -> str:
    """A place on loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"localhost:{taken.getsockname()[1]}"


# One download.


def test_a_good_file_comes_as_it_is(server: Server) -> None:
    assert fetch(server, server.serve("/good.jpg", jpeg())) == jpeg()


def test_what_the_server_does_not_have_is_missing(server: Server) -> None:
    assert refusal(server, server.url("/none.jpg")) == ("missing", "HTTP 404")
    assert refusal(server, server.serve("/gone.jpg", status=410)) == ("missing", "HTTP 410")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_tried_again(server: Server, status: int) -> None:
    url = server.serve("/busy.jpg", status=status)
    assert refusal(server, url, image_retries=1, image_deadline=5.0) == ("unreachable", f"HTTP {status}")
    assert server.requests["/busy.jpg"] == 2


def test_a_server_that_never_answers_costs_one_time_out(server: Server) -> None:
    began = time.monotonic()
    assert refusal(server, server.url("/hang"), image_deadline=20.0)[0] == "unreachable"
    assert time.monotonic() - began < 2


def test_a_server_that_drips_costs_one_deadline(server: Server) -> None:
    began = time.monotonic()
    assert refusal(server, server.url("/drip"), image_retries=3) == ("unreachable", "not done within 1 seconds")
    assert time.monotonic() - began < 2
    assert server.requests["/drip"] == 1


def test_a_connection_that_breaks_off_is_unreachable(server: Server) -> None:
    assert refusal(server, server.url("/cut"))[0] == "unreachable"


def test_nobody_there_is_unreachable(server: Server) -> None:
    free = free_port()
    assert refusal(server, f"http://{free}/a.jpg", image_allowed_hosts=(free,))[0] == "unreachable"


def test_a_name_without_an_address_is_unreachable(server: Server) -> None:
    state, detail = refusal(server, "http://no-such-host.invalid/a.jpg")
    assert (state, "no-such-host.invalid" in detail) == ("unreachable", True)


def test_a_body_above_the_limit_is_not_read_to_its_end(server: Server) -> None:
    assert refusal(server, server.serve("/large.jpg", b"x" * 100_001))[0] == "too_large"
    assert refusal(server, server.url("/flood"))[0] == "too_large"


def test_a_compressed_answer_is_not_unpacked(server: Server) -> None:
    url = server.serve("/packed.jpg", zlib.compress(b"\0" * 10_000_000), Content_Encoding="deflate")
    assert refusal(server, url)[0] == "corrupt"


def test_redirects_are_followed_as_far_as_five(server: Server) -> None:
    server.serve("/good.jpg", jpeg())
    for n in range(1, 7):
        server.redirect(f"/{n}.jpg", f"/{n - 1}.jpg" if n > 1 else server.url("/good.jpg"))
    assert fetch(server, server.url("/5.jpg")) == jpeg()
    assert refusal(server, server.url("/6.jpg")) == ("missing", "more than 5 redirects")


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/secret.jpg",  # another name of the very server that is allowed
        "http://127.0.0.1/secret.jpg",
        "http://localhost/secret.jpg",
        "http://[::1]/secret.jpg",
        "http://[::ffff:127.0.0.1]/secret.jpg",
        "http://2130706433/secret.jpg",
        "http://0x7f.1/secret.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://user:word@{name}/secret.jpg",
        "file:///etc/passwd",
        "gopher://{name}/secret.jpg",
    ],
)
def test_a_redirect_to_a_forbidden_place_is_blocked(server: Server, location: str) -> None:
    server.serve("/secret.jpg", jpeg())
    place = location.format(port=server.server_address[1], name=server.name)
    assert refusal(server, server.redirect("/sly.jpg", place))[0] == "blocked"
    assert server.requests["/secret.jpg"] == 0


def test_loopback_is_blocked_unless_it_is_named(server: Server) -> None:
    assert refusal(server, "http://localhost/a.jpg", image_allowed_hosts=())[0] == "blocked"
    assert refusal(server, server.url("/a.jpg"), image_allowed_hosts=())[0] == "blocked"
    assert not server.requests


def test_a_proxy_of_the_environment_is_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert fetch(server, server.serve("/good.jpg", jpeg())) == jpeg()


def test_a_name_is_looked_up_once_and_that_answer_is_used(server: Server) -> None:
    """The name below has no address of its own: a second look-up, by whomever, could not connect."""
    port = server.server_address[1]
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    server.serve("/good.jpg", jpeg())
    named = settings(server, image_allowed_hosts=(f"mirror.invalid:{port}",))
    with Fetcher(named, resolve) as fetcher:
        assert fetcher.fetch(f"http://mirror.invalid:{port}/good.jpg") == jpeg()
        assert fetcher.fetch(f"http://mirror.invalid:{port}/good.jpg") == jpeg()
    assert asked == ["mirror.invalid"]
    assert server.hosts == {f"mirror.invalid:{port}"}


def test_a_name_server_that_changes_its_answer_gains_nothing(server: Server) -> None:
    answers = iter([["203.0.113.9"], ["127.0.0.1"]])
    with Fetcher(settings(server), lambda host, port: next(answers)) as fetcher:
        for _ in range(2):
            with pytest.raises(NoImage) as caught:
                fetcher.fetch("http://rebind.example/good.jpg")
            assert caught.value.state == "blocked"


def test_a_resolver_that_hangs_costs_one_time_out(server: Server) -> None:
    def resolve(host: str, port: int) -> list[str]:
        time.sleep(1.5)
        return ["127.0.0.1"]

    began = time.monotonic()
    with Fetcher(settings(server), resolve) as fetcher, pytest.raises(NoImage) as caught:
        fetcher.fetch("http://slow.example/good.jpg")
    assert (caught.value.state, time.monotonic() - began < 1.2) == ("unreachable", True)


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate with its key, as one PEM file."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(built.public_bytes(pem) + private)
    return path


def test_tls_verifies_the_name_of_the_url_though_the_address_is_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path, "mirror.invalid")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    with running(tls) as server:
        port = server.server_address[1]
        server.serve("/good.jpg", jpeg())
        named = settings(server, image_allowed_hosts=("mirror.invalid", "other.invalid"))
        with Fetcher(named, lambda host, port: ["127.0.0.1"]) as fetcher:
            assert fetcher.fetch(f"https://mirror.invalid:{port}/good.jpg") == jpeg()
            with pytest.raises(NoImage, match="certificate") as caught:
                fetcher.fetch(f"https://other.invalid:{port}/good.jpg")
            assert caught.value.state == "unreachable"


# A night.


@pytest.fixture
def run(tmp_path: Path, server: Server) -> IntakeContext:
    return IntakeContext(DAY, settings(server), tmp_path / "landing", tmp_path / "lake")


def list_items(run: IntakeContext, urls: dict[str, list[str]]) -> None:
    rows = [
        dict.fromkeys(ITEMS.names) | {"dataset": "shop", "item_id": i, "item_hash": "h", "image_urls": u}
        for i, u in urls.items()
    ]
    schema = pa.schema([field.with_nullable(True) for field in delta.arrow_schema(ITEMS)])
    write_deltalake(str(run.lake / ITEMS.name), pa.Table.from_pylist(rows, schema), mode="append")


def land(run: IntakeContext, name: str, data: bytes) -> None:
    path = run.landing / "shop" / "images" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def states(run: IntakeContext) -> dict[str, str]:
    """State by item and the last part of the source."""
    rows = delta.read(ITEM_IMAGES, lake=run.lake).to_pylist()
    return {f"{row['item_id']} {row['source'].rsplit('/', 1)[-1]}": row["state"] for row in rows}


def bomb() -> bytes:
    """A PNG whose header claims 60,000 x 60,000 pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100_000)), (b"IEND", b"")]
    framed = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def test_every_kind_of_source_gets_its_state(run: IntakeContext, server: Server) -> None:
    list_items(
        run,
        {
            "A": [server.serve("/a.jpg", jpeg(1))],
            "B": [server.url("/none.jpg"), server.serve("/b.jpg", jpeg(2))],
            "C": [server.url("/hang"), server.url("/a.jpg")],
            "D": [server.redirect("/d.jpg", "http://127.0.0.1/a.jpg")],
            "E": [server.serve("/page.jpg", b"<html>are you a robot?</html>")],
            "F": [server.serve("/short.jpg", jpeg(3)[:-300])],
            "G": [server.serve("/bomb.png", bomb())],
            "H": ["file:///etc/passwd"],
            "I": [server.url("/i.jpg")],
            "J": [],
        },
    )
    land(run, "I.jpg", jpeg(4))
    counts = run_intake(run)
    assert states(run) == {
        "A a.jpg": "ok",
        "B none.jpg": "missing",
        "B b.jpg": "ok",
        "C hang": "unreachable",
        "D d.jpg": "blocked",
        "E page.jpg": "corrupt",
        "F short.jpg": "corrupt",
        "G bomb.png": "too_large",
        "H passwd": "blocked",
        "I I.jpg": "ok",
    }
    tried = {"ok": 3, "missing": 1, "unreachable": 1, "blocked": 2, "corrupt": 2, "too_large": 1}
    assert counts == Counts(eligible=10, without_source=1, known=0, adopted=0, tried=tried)
    assert server.requests["/i.jpg"] == 0


def test_a_stored_image_can_be_read_by_its_row(run: IntakeContext, server: Server) -> None:
    list_items(run, {"A": [server.serve("/a.jpg", jpeg(1, side=300))]})
    run_intake(run)
    [row] = delta.read(ITEM_IMAGES, lake=run.lake).to_pylist()
    assert (row["width"], row["height"], row["checked_on"], row["detail"]) == (300, 300, DAY, None)
    assert store.path_of(run.lake, row["content_hash"]).read_bytes().startswith(b"\xff\xd8")


def test_the_same_bytes_end_in_the_same_content_from_anywhere(run: IntakeContext, server: Server) -> None:
    list_items(run, {"A": [server.serve("/a.jpg", jpeg(1))], "B": [server.serve("/b.jpg", jpeg(1))], "C": []})
    land(run, "C.jpg", jpeg(1))
    run_intake(run)
    assert len(set(delta.read(ITEM_IMAGES, lake=run.lake)["content_hash"].to_pylist())) == 1
    assert len(list((run.lake / "images").rglob("*.jpg"))) == 1


def test_only_what_nobody_answered_is_asked_for_again_and_only_on_a_later_night(
    run: IntakeContext, server: Server
) -> None:
    server.serve("/busy.jpg", status=503)
    list_items(run, {"A": [server.serve("/a.jpg", jpeg())], "B": [server.url("/none.jpg")]})
    list_items(run, {"C": [server.url("/busy.jpg")]})
    run_intake(run)
    version = delta.version(ITEM_IMAGES, run.lake)
    again = run_intake(run)
    assert (again.known, again.tried) == (3, {})
    assert delta.version(ITEM_IMAGES, run.lake) == version
    server.serve("/busy.jpg", jpeg(5))
    later = run_intake(replace(run, day=NEXT))
    assert (later.known, later.tried) == (2, {"ok": 1})
    assert server.requests == {"/a.jpg": 1, "/none.jpg": 1, "/busy.jpg": 2}
    assert states(run) == {"A a.jpg": "ok", "B none.jpg": "missing", "C busy.jpg": "ok"}


def test_a_url_that_many_items_name_is_fetched_once(run: IntakeContext, server: Server) -> None:
    url = server.serve("/no-image.gif", jpeg())
    list_items(run, {f"A{n:02}": [url] for n in range(20)})
    assert run_intake(run).tried == {"ok": 20}
    list_items(run, {"B": [url]})
    assert run_intake(replace(run, day=NEXT)).adopted == 1
    assert server.requests == {"/no-image.gif": 1}
    assert states(run)["B no-image.gif"] == "ok"


def test_a_server_that_fails_is_left_alone(
    run: IntakeContext, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    urls = {f"A{n:02}": [server.serve(f"/{n}.jpg", status=503)] for n in range(30)}
    list_items(run, urls)
    one_at_a_time = replace(run.settings, image_workers=1, image_host_failures=3)
    with caplog.at_level(logging.WARNING):
        assert run_intake(replace(run, settings=one_at_a_time)).tried == {"unreachable": 30}
    assert server.requests.total() == 3
    details = delta.read(ITEM_IMAGES, lake=run.lake)["detail"].to_pylist()
    assert details.count("HTTP 503") == 3
    assert details.count("host left alone after 3 failures") == 27
    assert "left alone" in caplog.text


def test_thousands_of_dead_urls_cost_seconds(run: IntakeContext) -> None:
    dead = [free_port() for _ in range(3)]
    list_items(run, {f"A{n:04}": [f"http://{dead[n % 3]}/{n}.jpg"] for n in range(5000)})
    began = time.monotonic()
    as_in_production = Settings(image_allowed_hosts=tuple(dead))
    assert run_intake(replace(run, settings=as_in_production)).tried == {"unreachable": 5000}
    assert time.monotonic() - began < 15


def test_outcomes_are_recorded_while_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row("A", "http://images.example/a.jpg", Outcome("missing", detail="HTTP 404"), DAY)
    with Ledger(tmp_path) as patient:
        patient.add([row])
        assert delta.version(ITEM_IMAGES, tmp_path) is None
        monkeypatch.setattr("recsys_jobs.images.ledger.COMMIT_SECONDS", 0.0)
        patient.add([replace(row, item_id="B")])
        assert delta.read(ITEM_IMAGES, columns=["item_id"], lake=tmp_path)["item_id"].to_pylist() == ["A", "B"]


def test_what_was_done_before_an_error_is_recorded(
    run: IntakeContext, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_items(run, {"A": [server.serve("/a.jpg", jpeg(1))], "B": [server.serve("/b.jpg", jpeg(2))]})
    real, calls = store.put, iter([1])

    def full_disk(lake: Path, data: bytes) -> str:
        if next(calls, None):
            return real(lake, data)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "put", full_disk)
    with pytest.raises(OSError, match="No space left"):
        run_intake(replace(run, settings=replace(run.settings, image_workers=1)))
    assert states(run) == {"A a.jpg": "ok"}


def test_the_step_reads_its_places_from_the_environment_and_closes_with_the_counts(
    run: IntakeContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    list_items(run, {"A": []})
    land(run, "A.jpg", jpeg())
    monkeypatch.setenv("RECSYS_LANDING", str(run.landing))
    monkeypatch.setenv("RECSYS_LAKE", str(run.lake))
    monkeypatch.setattr(sys, "argv", ["images", "--run-date", "2014-03-01"])
    with caplog.at_level(logging.INFO):
        step.main()
        step.main()
    assert caplog.messages == [
        "images of 2014-03-01: 1 items eligible, 0 name no image, 0 were already known; "
        "1 sources tried (ok 1), 0 known from another item",
        "images of 2014-03-01: 1 items eligible, 0 name no image, 1 were already known; "
        "0 sources tried (none), 0 known from another item",
    ]
