"""Every page of the site: no error in the console, no request to another server, no dead link, a search that finds, and
nothing that shuts out those who use a screen reader or the keyboard (by axe-core's rules)."""

from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from in_browser import SITE, requests, wait_until_shown
from npm import package_files
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

AXE = "axe-core@4.10.3"
PAGES = sorted(page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html") if "_static" not in page.parts)
MADE = ("genindex.html", "py-modindex.html", "search.html")  # by Sphinx, without a page of ours
READ = [page for page in PAGES if not page.startswith("_modules/") and page not in MADE]


class Links(HTMLParser):
    """The addresses that a page points to, and the names that it can be pointed at by."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attributes) -> None:
        attributes = dict(attributes)
        self.names.update(filter(None, [attributes.get("id"), attributes.get("name")]))
        if tag in ("a", "link", "img", "script"):
            self.addresses += filter(None, [attributes.get("href"), attributes.get("src")])


@pytest.fixture(scope="session")
def links():
    """The links of every page."""
    return {page: Links((SITE / page).read_text(encoding="utf-8")) for page in PAGES}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page, links):
    dead = []
    for address in links[page].addresses:
        if address.startswith(("http://", "https://", "mailto:", "data:")):
            continue
        path, fragment = urldefrag(urljoin(page, unquote(address.partition("?")[0])))
        if path in links:
            if fragment and fragment not in links[path].names:
                dead.append(address)
        elif not (SITE / path).is_file():
            dead.append(address)
    assert not dead


@pytest.fixture(scope="session")
def axe() -> str:
    """The code of axe-core, which finds what keeps people out."""
    return package_files(AXE)["axe.min.js"].decode()


TWO_OF_EACH = """// of the coloured words in code: a tutorial has thousands, and each takes a millisecond
const seen = {};
for (const word of document.querySelectorAll(".highlight span[class]")) {
  const kind = `${word.closest(".highlight").parentElement.className} ${word.className}`;
  seen[kind] = (seen[kind] ?? 0) + 1;
  if (seen[kind] > 2) word.replaceWith(...word.childNodes);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", READ)
def test_a_page_is_complete_and_open_to_all(page, theme, browser, address, axe):
    driver = browser(page)
    if driver.find_elements(By.CSS_SELECTOR, "script[src*='/explore/']"):
        wait_until_shown(driver)
    driver.execute_script("document.body.dataset.theme = arguments[0]", theme)
    driver.execute_script(TWO_OF_EACH)
    driver.execute_script(axe)
    options = {"resultTypes": ["violations"]}
    if theme == "dark":  # only colours differ from the light theme
        options["runOnly"] = ["color-contrast"]
    found = driver.execute_async_script(
        "const done = arguments[1];"
        "axe.run(arguments[0]).then(done, error => done({violations: [], error: `${error}`}));",
        options,
    )
    assert "error" not in found, found
    problems = [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}" for v in found["violations"]]
    assert not problems, "\n".join(problems)
    outside = {url for url in requests(driver) if not url.startswith((address, "data:", "blob:", "about:", "chrome:"))}
    assert not outside


def test_search_finds_a_page_without_any_server_but_its_own(browser, address):
    driver = browser("search.html?q=im2col")
    WebDriverWait(driver, 20).until(
        lambda d: d.find_elements("css selector", '#search-results a[href^="layers/conv.html"]')
    )
    assert all(url.startswith(address) for url in requests(driver) if url.startswith("http"))


def test_every_formula_is_drawn(browser):
    driver = browser("layers/conv.html")
    driver.execute_async_script("MathJax.startup.promise.then(arguments[0])")
    assert driver.execute_script("return document.querySelectorAll('mjx-container svg').length") > 10
    assert not driver.find_elements("css selector", "mjx-merror, [data-mjx-error]")


def test_the_answers_of_tasks_are_folded_and_open(browser):
    driver = browser("tutorials/02_convolution_backward.html")
    answers = [d for d in driver.find_elements("css selector", "details") if "The answer" in d.text]
    assert len(answers) == 5  # its tasks
    assert "def " not in answers[0].text
    answers[0].find_element("css selector", "summary").send_keys(Keys.ENTER)
    assert "def " in answers[0].text
