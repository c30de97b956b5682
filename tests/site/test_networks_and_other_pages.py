"""What holds for all interactive pages: a phone, a keyboard, a screen reader, and no request to anywhere else."""

import pytest
from in_browser import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PAGES = ("im2col", "networks", "batchnorm", "block", "landscape")


@pytest.fixture(params=PAGES)
def page(explore, request):
    driver = explore(request.param)
    yield driver
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_fits_a_phone(page):
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert page.execute_script("return document.documentElement.scrollWidth") <= 360
    too_wide = page.execute_script(
        "return [...document.querySelectorAll('#explore > *')].map((part) => [part.className,"
        "part.getBoundingClientRect().right]).filter(([_, right]) => right > 361)"
    )
    assert not too_wide


def test_says_that_its_data_are_missing(chromium, address):
    """Not with `browser`, as the console does have an error."""
    chromium.get(f"{address}/explore/im2col.html")
    chromium.execute_async_script(
        "const [address, done] = arguments;"
        "import(address).then((recorded) => recorded.load('missing')).catch(() => done())",
        f"{address}/_static/explore/recorded.js",
    )
    text = "The data could not be loaded (404). Reload the page."
    assert chromium.find_element(By.ID, "explore").text == text


def test_asks_no_other_server(page, address):
    urls = requests(page)
    assert any(url.endswith(".js") for url in urls), "the log has the page's requests"
    assert not [url for url in urls if not url.startswith((address, "data:"))]


def test_every_control_has_a_name_and_every_drawing_a_description(page):
    controls = page.find_elements(By.CSS_SELECTOR, "#explore :is(button, select, input)")
    assert controls and all(control.accessible_name for control in controls)
    drawings = page.find_elements(By.CSS_SELECTOR, "#explore svg")
    assert drawings and all(drawing.get_attribute("role") == "img" for drawing in drawings)
    assert all(drawing.get_attribute("aria-label") for drawing in drawings)
    assert page.find_element(By.CSS_SELECTOR, "#explore [aria-live=polite]").text


def test_the_keyboard_reaches_a_control_and_shows_where_it_is(page):
    page.execute_script("document.querySelector('#explore :is(button, select, input, [tabindex])').focus()")
    page.switch_to.active_element.send_keys(Keys.TAB)
    focused = page.switch_to.active_element
    assert page.execute_script("return document.querySelector('#explore').contains(arguments[0])", focused)
    assert focused.value_of_css_property("outline-style") == "solid"
    assert float(focused.value_of_css_property("outline-width").removesuffix("px")) >= 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(page, theme):
    """WCAG's contrast of at least 4.5 between the text of the spoken line and of cells and what is under them."""
    page.execute_script("document.body.dataset.theme = arguments[0]; explore.steps?.go(13)", theme)
    colours = page.execute_script(
        """const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const over = (...paints) => {
            canvas.clearRect(0, 0, 1, 1);
            for (const paint of paints) { canvas.fillStyle = paint; canvas.fillRect(0, 0, 1, 1); }
            return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const paper = getComputedStyle(document.body).backgroundColor, pairs = [];
        const line = getComputedStyle(document.querySelector("#explore .spoken"));
        pairs.push([over(line.color), over(paper, line.backgroundColor)]);
        for (const text of document.querySelectorAll("#explore text.number:not(.outside, .wrong)")) {
            const cell = [...text.parentNode.querySelectorAll("rect")].find((rect) => {
                const box = rect.getBoundingClientRect(), own = text.getBoundingClientRect();
                return box.left <= own.left + own.width / 2 && own.left + own.width / 2 <= box.right &&
                    box.top <= own.top + own.height / 2 && own.top + own.height / 2 <= box.bottom;
            });
            const fill = cell ? getComputedStyle(cell).fill : "none";
            pairs.push([over(getComputedStyle(text).fill), over(paper, fill === "none" ? paper : fill)]);
        }
        for (const cell of document.querySelectorAll("#explore td")) {
            pairs.push([over(getComputedStyle(cell).color), over(paper, getComputedStyle(cell).backgroundColor)]);
        }
        return pairs;"""
    )

    def luminance(colour):
        parts = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for text, ground in colours:
        light, dark = sorted((luminance(text), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
