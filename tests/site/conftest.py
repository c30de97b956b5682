"""The built site in a real browser: needs `python docs/build.py` before, selenium, and Chromium with its driver."""

import functools
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest
from in_browser import SITE, wait_until_shown

LACKING = [
    what
    for what, there in (
        ("the site: python docs/build.py", (SITE / "index.html").exists()),
        ("selenium: pip install selenium", find_spec("selenium")),
        ("npm, which comes with Node.js", shutil.which("npm")),
        ("chromedriver: apt install chromium chromium-driver", shutil.which("chromedriver")),
    )
    if not there
]
collect_ignore_glob = ["test_*.py"] if LACKING else []


def pytest_report_header() -> list[str]:
    return [f"tests/site are left out; they need {what}" for what in LACKING]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="session")
def address():
    """Where the built site is served, as http://127.0.0.1:PORT."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def chromium():
    """One headless Chromium for all tests, which notes the console and every request."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--window-size=1280,900",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_script_timeout(120)
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium, address):
    """`browser(page)` opens a page of the site; afterwards there must be no message in the console."""

    def open_page(page: str):
        chromium.get(f"{address}/{page}")
        return chromium

    chromium.get_log("browser"), chromium.get_log("performance")  # what earlier pages left
    yield open_page
    messages = [entry["message"] for entry in chromium.get_log("browser")]
    assert not messages, messages


@pytest.fixture
def explore(browser):
    """`explore(name)` opens an interactive page, and returns when it shows something."""

    def open_page(name: str):
        driver = browser(f"explore/{name}.html")
        wait_until_shown(driver)
        return driver

    return open_page
