"""The page that runs Python: it trains with the losses of a native run, and asks nobody but its own server."""

import contextlib
import io
import json
import time

import numpy as np
import pytest
from in_browser import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

PAGE = "run.html"
MOST_SECONDS = 80


def cell(driver, name):
    return driver.find_element(By.ID, name)


def code_of(driver, name):
    return driver.execute_script("return document.querySelector(`#${arguments[0]} textarea`).defaultValue", name)


def write(driver, name, code):
    driver.execute_script("document.querySelector(`#${arguments[0]} textarea`).value = arguments[1]", name, code)


def press(driver, name, which):
    button = cell(driver, name).find_element(By.CLASS_NAME, f"{which}-button")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
    button.click()


def wait_for(driver, name, words):
    """Wait until the cell's status contains one of the words; return the status and the output."""
    end = time.monotonic() + MOST_SECONDS
    while time.monotonic() < end:
        status, output = driver.execute_script(
            "const place = document.getElementById(arguments[0]);"
            "return [place.querySelector('.run-status').textContent, place.querySelector('.run-output').textContent]",
            name,
        )
        if any(word in status for word in words):
            return status, output
        time.sleep(0.1)
    pytest.fail(f"{name} says {status!r} after {MOST_SECONDS} s; output {output!r}")


def run(driver, name, code=None):
    """Run a cell to its end; return its status and its output."""
    if code is not None:
        write(driver, name, code)
    press(driver, name, "run")
    return wait_for(driver, name, ("Done", "error", "ended", "Stopped"))


def curve(driver, name):
    """The points of the loss curve, each as "x,y"."""
    return driver.find_element(By.CSS_SELECTOR, f"#{name} polyline").get_attribute("points").split(" ")


def native(code):
    """The losses that the same code shows when it runs in this process."""
    losses = []
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, {"show_loss": lambda step, loss: losses.append(float(loss)), "__name__": "__main__"})
    return np.array(losses)


DRAWN = "images, labels = draw_images(5000, np.random.default_rng(0))"
# Random whole numbers are the same everywhere. Drawn images differ in a few pixels of a million: sines are rounded.
EXACT = """rng = np.random.default_rng(0)
labels = rng.permutation(np.arange(400, dtype=np.int64) % 2) * CHECKERS
images = (rng.integers(0, 200, (400, 32, 32, 3)) + 3 * labels[:, None, None, None]).astype(np.uint8)"""


def test_trains_and_draws_its_losses(browser):
    driver = browser(PAGE)
    code = code_of(driver, "train")
    status, output = run(driver, "train", code + "\nprint(losses)\n")
    assert status.startswith("Done"), output
    losses = np.array(json.loads(output.splitlines()[-1]))
    assert losses.shape == (60,)
    expected = native(code.replace("), 60):", "), 5):"))  # later, differences in rounding have grown
    np.testing.assert_allclose(losses[:5], expected, rtol=0, atol=5e-4)
    assert losses[-10:].mean() < 0.5 * losses[:10].mean(), "it learns"
    accuracy = float(output.split("training on 800 images ...\n")[1].split("%")[0])
    assert accuracy > 70 and "right on 200 new images" in output

    assert f"Loss {losses[0]:.3f} at step 1, {losses[-1]:.3f} at step 60" in status
    heights = [float(point.split(",")[1]) for point in curve(driver, "train")]
    assert len(heights) == 60 and np.corrcoef(heights, losses)[0, 1] < -0.9999  # a lower loss is further down


def test_trains_as_native_code_does(browser):
    driver = browser(PAGE)
    code = code_of(driver, "train").replace(DRAWN, EXACT).replace("), 60):", "), 20):")
    code = code.replace("rng=np.random.default_rng(0))\nopt", "rng=np.random.default_rng(0)).astype(np.float64)\nopt")
    assert DRAWN not in code and "float64" in code and "), 20):" in code
    status, output = run(driver, "train", code + "\nprint(losses)\n")
    assert status.startswith("Done"), output
    expected = native(code)
    assert expected.shape == (20,)
    np.testing.assert_allclose(json.loads(output.splitlines()[-1]), expected, rtol=1e-6)


def test_checks_gradients_and_catches_what_is_broken(browser):
    driver = browser(PAGE)
    status, output = run(driver, "check")
    assert status.startswith("Done") and "ok" in output and "FAILED" not in output
    status, output = run(driver, "break")
    assert status.startswith("Done") and "FAILED: input: backward and forward disagree" in output
    assert "(2, 0)" in output and np.random.default_rng(0).standard_normal((3, 4))[2, 0] < 0  # as the answer says
    status, output = run(driver, "break", code_of(driver, "break").replace("grad_y * 1", "grad_y * (y > 0)"))
    assert status.startswith("Done") and "ok" in output and "FAILED" not in output
    status, output = run(driver, "plant")
    assert status.startswith("Done") and "the kernel is not flipped" in output
    assert output.count("FAILED: ") == output.count("FAILED: input") == 4 and "Conv2d 1," not in output
    another = code_of(driver, "plant").replace("conv-kernel-not-flipped", "linear-grad-bias-averaged")
    status, output = run(driver, "plant", another)
    assert status.startswith("Done") and "FAILED: bias" in output
    status, output = run(driver, "own")
    assert status.startswith("Done") and "def forward(self, x" in output and "def backward(self, grad_y" in output

    status, output = run(driver, "own", "report.passed, 1 / 0")  # `report` is the cell above's
    assert "error" in status and "ZeroDivisionError" in output and "NameError" not in output
    press(driver, "own", "reset")
    assert "getsource" in driver.execute_script("return document.querySelector('#own textarea').value")


def test_checks_an_answer_and_has_pythons_own_modules(browser):
    code = "import ast, tomllib\nimport numpy as np\nfrom resnet_scratch.exercises import check\n"
    code += "print(ast.unparse(ast.parse('x=1')))\ncheck('0.1', lambda x: np.maximum(x, 0))"
    status, output = run(browser(PAGE), "own", code)
    assert status.startswith("Done") and output.startswith("x = 1\ntask 0.1: right")


def test_a_loss_that_is_not_finite(browser):
    driver = browser(PAGE)
    driver.execute_script("requestAnimationFrame = () => {}")  # a cell that is done does not wait for it
    status, output = run(driver, "own", "for k, loss in enumerate([1, 1.28e16, 'nan', 'inf']): show_loss(k, loss)")
    assert status.startswith("Done") and not output
    assert "Loss 1.000 at step 0, not finite from step 2" in status
    assert len(curve(driver, "own")) == 2
    chart = cell(driver, "own").find_element(By.TAG_NAME, "svg")
    assert len(chart.find_elements(By.CLASS_NAME, "lost")) == 1
    labels = driver.execute_script(
        "return [...arguments[0].querySelectorAll('text')].map((t) => [t.textContent, t.getBBox().x])", chart
    )
    assert [label for label, _ in labels[:4]] == ["0", "5e15", "1e16", "1.5e16"]
    assert all(left >= 0 for _, left in labels), "a label overflows the drawing"
    status, _ = run(driver, "own", "for k, loss in enumerate(['inf', 2e4]): show_loss(k, loss)")
    assert "Loss not finite at step 0, 2.00e+4 at step 1" in status
    assert not chart.find_elements(By.CLASS_NAME, "lost")


FLOODS = {
    "prints": "while True:\n    print(k)\n    k += 1",
    "losses": "while True:\n    show_loss(k, 1.0)\n    k += 1",
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_does_not_keep_the_page_from_being_stopped(browser, flood):
    driver = browser(PAGE)
    run(driver, "own", "print('ready')")
    write(driver, "own", "k = 0\n" + FLOODS[flood])
    press(driver, "own", "run")
    wait_for(driver, "own", ("Running",))
    time.sleep(5)
    began = time.monotonic()
    press(driver, "own", "stop")
    _, output = wait_for(driver, "own", ("Stopped",))
    assert time.monotonic() - began < 5
    notice = cell(driver, "own").find_element(By.CLASS_NAME, "run-cut")
    if flood == "prints":
        assert notice.is_displayed() and notice.text == "... (the beginning was left out)"
        assert 40_000 <= len(output) < 80_000
    else:
        assert not notice.is_displayed() and not output
        assert 500 < len(curve(driver, "own")) < 1100


def test_what_is_written_is_shown_whole_and_in_order(browser):
    driver = browser(PAGE)
    writes = "import sys\nfor k in range(3000): print(k, file=(sys.stdout, sys.stderr)[k % 2])\nshow_loss(1, 2)\n1 / 0"
    status, output = run(driver, "own", writes)
    numbers, error = output.split("Traceback")
    assert numbers.split() == [str(k) for k in range(3000)]
    assert error.endswith("ZeroDivisionError: division by zero\n") and "Loss 2.000 at step 1" in status
    assert not cell(driver, "own").find_element(By.CLASS_NAME, "run-cut").is_displayed()


def test_shows_the_first_lines_before_a_long_computation(browser):
    driver = browser(PAGE)
    write(driver, "own", "for k in range(20): print(k)\nwhile True: pass")
    press(driver, "own", "run")
    wait_for(driver, "own", ("Running",))
    time.sleep(1)
    _, output = wait_for(driver, "own", ("Running",))
    assert output.split() == [str(k) for k in range(20)]


def test_no_two_controls_have_the_same_name(browser):
    driver = browser(PAGE)
    controls = driver.find_elements(By.CSS_SELECTOR, ".run-cell textarea, .run-cell button, .run-output")
    names = [control.get_attribute("aria-label") for control in controls]
    assert len(names) == 25 == len(set(names)) and "Run: Check a gradient" in names


def test_by_keyboard_and_stopped(browser, address):
    driver = browser(PAGE)
    editor = cell(driver, "own").find_element(By.TAG_NAME, "textarea")
    write(driver, "own", "x = 1\nprint('going on')\nwhile True:")
    editor.send_keys(Keys.CONTROL, Keys.END)
    editor.send_keys(Keys.NULL, Keys.ENTER, "x += 1")
    assert driver.execute_script("return arguments[0].value", editor).endswith("while True:\n    x += 1")
    editor.send_keys(Keys.SHIFT, Keys.ENTER)
    wait_for(driver, "own", ("Running",))
    end = time.monotonic() + 30
    while "going on" not in cell(driver, "own").text and time.monotonic() < end:
        time.sleep(0.1)
    assert driver.switch_to.active_element == editor
    assert cell(driver, "train").find_element(By.CLASS_NAME, "run-button").get_attribute("aria-disabled") == "true"
    press(driver, "own", "stop")
    wait_for(driver, "own", ("Stopped",))
    before = len(requests(driver))
    status, output = run(driver, "own", "print('x' in globals())")
    assert status.startswith("Done") and output == "False\n"  # Python is a new one
    again = [url for url in requests(driver) if "/engine/" in url]
    assert before and not [url for url in again if url.endswith((".gz", ".zip", ".whl"))], "downloaded again"


def test_a_download_can_be_stopped(browser):
    driver = browser(PAGE)

    def network(bytes_per_second, cached):
        driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": not cached})
        speed = {"downloadThroughput": bytes_per_second, "uploadThroughput": -1, "latency": 0, "offline": False}
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", speed)

    try:
        network(2_000_000, cached=False)  # so that it takes eight seconds
        press(driver, "check", "run")
        status, _ = wait_for(driver, "check", ("Downloading Python: 10 %",))
        assert status.endswith(" MB.")
        press(driver, "check", "stop")
        wait_for(driver, "check", ("Stopped",))
        network(-1, cached=True)
        status, output = run(driver, "check")
        assert status.startswith("Done") and "ok" in output, status
    finally:
        network(-1, cached=True)


def test_asks_only_its_own_server(browser, address):
    driver = browser(PAGE)
    run(driver, "own", "1 + 1")
    asked = requests(driver)
    assert any(url.endswith("python.wasm.gz") for url in asked)
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]


def test_says_what_a_browser_lacks(browser, chromium):
    hide = "delete self.DecompressionStream"
    identifier = chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": hide})["identifier"]
    try:
        driver = browser(PAGE)
        notice = driver.find_element(By.ID, "run-notice").text
        assert "lacks DecompressionStream" in notice
        assert "def backward" in cell(driver, "break").text  # the code can be read all the same
    finally:
        chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": identifier})


def test_fits_a_phone(browser):
    driver = browser(PAGE)
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}  # a window is wider than a phone
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert driver.execute_script("return innerWidth") == 360
        assert driver.execute_script(wide) == 0
        run(driver, "check")
        assert driver.execute_script(wide) == 0
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
