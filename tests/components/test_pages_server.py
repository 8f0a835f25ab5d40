"""The pages on Airflow's own API server, behind its login: routes by strangers, hostile rows, a real browser.

One server serves the whole file: a real `airflow api-server`, with Airflow's simple auth manager.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
import pytest

from recsys_jobs.contracts.settings import ROOT
from recsys_jobs.images import store
from recsys_jobs.operations.airflow.local_airflow import terminate_session
from recsys_jobs.operations.airflow.night_runner import airflow_environment, prepare_airflow
from recsys_jobs.pages.nights import report_path
from recsys_jobs.pages.text import reference
from tests.components import pages_shop, shop
from tests.components.pages_shop import HOSTILE_ITEM, HOSTILE_USER, LONG_USER, MARKUP
from tests.components.shop import FIRST, NIGHT, USER_IDS

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESKTOP, PHONE = (1280, 900), (390, 844)


class Served(NamedTuple):
    """The server, and what a request needs to be let in."""

    url: str
    token: str
    picture: str
    lake: Path

    def get(self, path: str, **how: Any) -> httpx.Response:
        """Ask as the viewer does."""
        headers = {"Cookie": f"_token={self.token}"} | how.pop("headers", {})
        return httpx.get(f"{self.url}/recommendations{path}", headers=headers, timeout=60, **how)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Airflow's API server with the pages of the small shop, and a viewer who is logged in."""
    home = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        lake = shop.place(home, patch)
        for name in ("AIRFLOW_HOME", "PYTEST_CURRENT_TEST"):
            patch.delenv(name, raising=False)
        picture = pages_shop.open_shop(lake)
        report_path(NIGHT).parent.mkdir(exist_ok=True)
        report_path(NIGHT).write_text("<h1>report</h1>")
        alert = {"alerts": ["only 5.0% of the places of 2024-01-01 are shown again"], "overlap": 0.05}
        report_path(NIGHT, ".json").write_text(json.dumps(alert))
        with _airflow(home) as url:
            yield Served(url, _token(url, "viewer"), picture, lake)


class _airflow:  # noqa: N801 - a context manager
    def __init__(self, home: Path) -> None:
        self._home = home

    def __enter__(self) -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        passwords = self._home / "passwords.json"
        passwords.write_text(json.dumps({"viewer": "viewer", "outsider": "outsider"}))
        environment = airflow_environment() | {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "viewer:viewer,outsider:none",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "PYTHONPATH": str(ROOT),
        }
        prepare_airflow(environment)
        log = (self._home / "server.log").open("w")
        command = ["airflow", "api-server", "--workers", "1"]
        self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        url = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                httpx.get(f"{url}/api/v2/version", timeout=5).raise_for_status()
                return url
            except httpx.HTTPError:
                assert self._process.poll() is None, (self._home / "server.log").read_text()[-2000:]
                time.sleep(0.5)
        raise AssertionError("the API server does not answer")

    def __exit__(self, *_: object) -> None:
        terminate_session(self._process)


def _token(url: str, name: str) -> str:
    answer = httpx.post(f"{url}/auth/token", json={"username": name, "password": name}, timeout=60)
    return answer.raise_for_status().json()["access_token"]


def _query(**values: str) -> str:
    return urlencode({name: reference(value) for name, value in values.items()})


# every route that the pages have, and what a viewer gets there
ROUTES = {
    "/": 200,
    f"/nights/{NIGHT}": 200,
    "/people": 200,
    "/people/random": 303,
    f"/person?id={USER_IDS[0]}": 200,
    f"/person/why?id={USER_IDS[0]}": 200,
    f"/person/recipes?id={USER_IDS[0]}": 200,
    "/items": 200,
    "/item?id=i02": 200,
    "/compare": 200,
    "/compare/recipes": 200,
    "/pictures/PICTURE.jpg": 200,
    "/page.css": 200,
    f"/reports/{NIGHT}": 200,
    "/no-such-page": 404,
}
STRANGERS: dict[str, tuple[dict[str, str], int]] = {
    "no cookie": ({"Cookie": ""}, 401),
    "a wrong cookie": ({"Cookie": "_token=eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJ2aWV3ZXIifQ.c2lnbmVk"}, 403),
    "an unsigned token": ({"Cookie": "_token=eyJhbGciOiJub25lIn0.eyJzdWIiOiJ2aWV3ZXIiLCJyb2xlIjoiVklFV0VSIn0."}, 403),
    "a wrong bearer token": ({"Authorization": "Bearer abc"}, 403),
    "a forged host": ({"Host": "evil.example"}, 421),
    "a forged host with our port": ({"Host": "127.0.0.1.evil.example:8080"}, 421),
    "a link on another site": ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
    "another port of this machine": ({"Sec-Fetch-Site": "same-site"}, 403),
    "a script of another site": ({"Origin": "https://evil.example"}, 403),
    "a sandboxed frame": ({"Origin": "null"}, 403),
}


def test_every_route_of_the_application_is_in_the_table(served: Served) -> None:
    program = "from plugins.pages.app import application; print(*[r.path for r in application().routes])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    patterns = [re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)) for path in shown.stdout.split() if path[0] == "/"]
    named = [route.partition("?")[0] for route in ROUTES]
    assert [p for p in patterns if not any(re.fullmatch(p, name) for name in named)] == []


@pytest.mark.parametrize("route", ROUTES)
def test_a_viewer_is_let_in(served: Served, route: str) -> None:
    answer = served.get(route.replace("PICTURE", served.picture))
    assert answer.status_code == ROUTES[route]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("route", ROUTES)
def test_a_stranger_gets_nothing(served: Served, route: str, stranger: str) -> None:
    headers, status = STRANGERS[stranger]
    answer = served.get(route.replace("PICTURE", served.picture), headers=headers)
    assert answer.status_code == status
    assert not any(told in answer.text for told in ("Item i", USER_IDS[1], "recent_sage", "report</h1>", "--accent"))
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_taken(served: Served, route: str, method: str) -> None:
    cookie = {"Cookie": f"_token={served.token}"}
    answer = httpx.request(method, f"{served.url}/recommendations{route}", headers=cookie, timeout=60)
    assert answer.status_code == 405


def test_who_may_not_read_the_nightly_dag_may_not_look(served: Served) -> None:
    cookie = {"Cookie": f"_token={_token(served.url, 'outsider')}"}
    assert served.get("/", headers=cookie).status_code == 403


def test_a_link_of_another_site_can_be_followed_by_a_click_of_ones_own(served: Served) -> None:
    path = '/person?id="><b>'
    answer = served.get(path, headers={"Sec-Fetch-Site": "cross-site"})
    assert "Open the page" in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize("path", [
    f"/item?{_query(id=HOSTILE_ITEM)}", f"/person?{_query(id=HOSTILE_USER)}", f"/person?{_query(id=LONG_USER)}",
    "/items?q=%3Cscript%3E", "/people?q=%3Cscript%3E", "/person?id=%3Cscript%3E", "/item?id=%22%3E%3Cimg%3E",
    "/people?night=%3Cscript%3E", "/people?slice=%3Cscript%3E", f"/nights/{NIGHT}", "/nights/%3Cscript%3E", "/compare",
])  # fmt: skip
def test_what_is_hostile_is_text(served: Served, path: str) -> None:
    answer = served.get(path)
    assert answer.status_code in (200, 404)
    for wrong in ("<script", "<img src=x", "<i>no</i>", "<b>", "\u202e", "x" * 300, "long title " * 30):
        assert wrong not in answer.text
    assert len(answer.content) < 100_000


def test_hostile_people_and_items_can_be_looked_at(served: Served) -> None:
    assert "&lt;script&gt;document.title" in served.get(f"/item?{_query(id=HOSTILE_ITEM)}").text
    page = served.get(f"/person?{_query(id=LONG_USER)}").text
    assert "What the night shows" in page
    [link] = re.findall(r'href="/recommendations(/person/recipes[^"]*)"', page)
    assert len(link) < 200


@pytest.mark.parametrize(
    "query", ["id=nobody", "id=", "id=a%00b", f"id={'9' * 3000}", "", "id=a&night=1999-01-01", "id=a&page=-1"]
)
def test_who_is_not_there_is_a_friendly_page(served: Served, query: str) -> None:
    answer = served.get(f"/person?{query}")
    assert answer.status_code == 404
    assert "The nights</a>" in answer.text


def test_a_picture_is_served_by_its_hash_alone(served: Served) -> None:
    answer = served.get(f"/pictures/{served.picture}.jpg")
    assert (answer.headers["content-type"], answer.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    text = store.put(served.lake, b"<script>no picture</script>")
    link = store.path_of(served.lake, "ab" * 32)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("/etc/passwd")
    wrong = ["0" * 64, text, "ab" * 32, "..%2f..%2fetc%2fpasswd", "A" * 64, "a" * 63]
    assert [served.get(f"/pictures/{name}.jpg").status_code for name in wrong] == [404] * len(wrong)


def test_a_report_brings_nothing_to_life(served: Served) -> None:
    policy = served.get(f"/reports/{NIGHT}").headers["content-security-policy"]
    assert "sandbox" in policy and "script-src" not in policy
    assert served.get("/reports/..%2f..%2fpasswords").status_code == 404


def test_a_job_that_fails_says_why(served: Served) -> None:
    for _ in range(120):
        answer = served.get(f"/person/why?id={USER_IDS[0]}")
        if "Refresh" not in answer.headers:
            break
        time.sleep(1)
    assert "could not be worked out" in answer.text  # the shop has slates, and no MLflow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium that sees loopback alone."""
    if not CHROMIUM:
        pytest.skip("no Chromium here: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_OPTIONS))
        yield started
        started.close()


class Opened(NamedTuple):
    """A page of the browser, and what its console said."""

    page: Any
    messages: list[str]


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def opened(browser: Any, served: Served, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """A page as wide as a screen, of a viewer who is logged in."""
    width, height = request.param
    scheme = "light" if request.param == DESKTOP else "dark"
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    context.add_cookies([{"name": "_token", "value": served.token, "url": served.url}])
    messages: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: messages.append(message.text))
    page.on("request", lambda asked: messages.append(asked.url) if not asked.url.startswith(served.url) else None)
    yield Opened(page, messages)
    context.close()


LOOKED_AT = [
    "/", f"/nights/{NIGHT}", "/people", f"/person?id={USER_IDS[0]}", f"/person?id={USER_IDS[0]}&beside={FIRST}",
    "/items", "/item?id=i00", f"/item?{_query(id=HOSTILE_ITEM)}", f"/person?{_query(id=LONG_USER)}", "/compare",
    f"/person/why?id={USER_IDS[0]}", "/person?id=nobody",
]  # fmt: skip


@pytest.mark.parametrize("path", LOOKED_AT)
def test_a_page_is_accessible_and_fits_its_screen(opened: Opened, served: Served, path: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    answer = opened.page.goto(f"{served.url}/recommendations{path}")
    found = axe.Axe().run(opened.page).response["violations"]
    assert [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found] == []
    assert opened.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert MARKUP[8:20] not in opened.page.title()
    assert [line for line in opened.messages if answer.status == 200] == []  # nothing refused, nothing from outside


def test_three_clicks_lead_from_an_odd_night_to_a_person_whose_slate_changed(opened: Opened, served: Served) -> None:
    page = opened.page
    page.goto(f"{served.url}/recommendations/")
    page.get_by_role("link", name=re.compile("only 5.0% of the places")).first.click()
    page.get_by_role("row", name=re.compile("50%")).get_by_role("link").first.click()
    assert page.get_by_role("heading", name=re.compile("^Person")).is_visible()
    assert page.get_by_text("gone").first.is_visible()
    assert page.get_by_text("new", exact=True).first.is_visible()
    assert page.locator("img.picture").first.evaluate("image => image.naturalWidth") > 0


def test_the_keyboard_alone_finds_a_person(opened: Opened, served: Served) -> None:
    page = opened.page
    page.goto(f"{served.url}/recommendations/people")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "q":
            break
    page.keyboard.type(USER_IDS[0])
    page.keyboard.press("Enter")
    page.wait_for_url("**/people?*")
    person = page.get_by_role("link", name=USER_IDS[0])
    for _ in range(30):
        page.keyboard.press("Tab")
        if person.evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/person?*")
    assert page.get_by_role("heading", name=re.compile(USER_IDS[0])).is_visible()


def test_a_stranger_in_a_browser_is_led_to_the_login(browser: Any, served: Served) -> None:
    page = browser.new_page()
    assert page.goto(f"{served.url}/recommendations/").status == 401
    page.get_by_role("link", name="Log in").click()
    page.wait_for_url("**/auth/login*")
    page.close()


def test_airflow_has_the_pages_in_its_navigation(served: Served) -> None:
    answer = httpx.get(f"{served.url}/api/v2/plugins", headers={"Authorization": f"Bearer {served.token}"}, timeout=60)
    if answer.status_code == 403:  # a viewer may not list plugins; the navigation asks for them all the same
        pytest.skip("this Airflow lists plugins to operators alone")
    [view] = [view for plugin in answer.json()["plugins"] for view in plugin["external_views"]]
    assert (view["name"], view["href"]) == ("Recommendations", "/recommendations/")
