"""The page on im2col computes what the library computes, forward and backward, and shows it."""

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from resnet_scratch.layers import Conv2d
from resnet_scratch.layers.windows import col2im, im2col

PAGE = "explore/im2col.html"
GEOMETRIES = [(5, 3, 1, 1), (4, 3, 1, 0), (8, 4, 3, 2), (7, 2, 2, 0), (3, 1, 1, 2), (6, 1, 3, 0)]


def open_with(browser, size, kernel, stride, padding):
    driver = browser(PAGE)
    for label, value in {"Image size": size, "Kernel": kernel, "Stride": stride, "Padding": padding}.items():
        select = driver.find_element(By.XPATH, f"//label[span='{label}']/select")
        Select(select).select_by_value(str(value))
    return driver


def shown(driver, name):
    """The numbers of a panel, as they are written in its cells."""
    texts = driver.execute_script(
        "return [...document.querySelectorAll(`[data-name=${arguments[0]}] text`)].map((text) => text.textContent)",
        name,
    )
    return [int(text.replace("−", "-")) for text in texts]


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), GEOMETRIES)
def test_the_arrays_are_those_of_the_library(browser, size, kernel, stride, padding):
    driver = open_with(browser, size, kernel, stride, padding)
    page = driver.execute_script("return explore.numbers()")
    x = np.array(page["image"], float).reshape(1, size, size, 1)
    conv = Conv2d(1, 1, kernel, stride, padding, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
    conv.weight.value = np.array(page["weight"], float).reshape(kernel, kernel, 1, 1)
    y, cache = conv.forward(x)
    columns = im2col(x, kernel, stride, padding)
    assert page["columns"] == columns.tolist()
    assert page["y"] == y.ravel().tolist()

    grad_y = np.array(page["gradY"], float).reshape(y.shape)
    grad_x = conv.backward(grad_y, cache)
    last = len(page["columns"]) - 1
    driver.find_element(By.CSS_SELECTOR, "input[value=backward]").click()
    driver.execute_script("explore.steps.go(arguments[0])", last)
    inside = slice(padding, padding + size)
    padded = np.array(shown(driver, "grad_x")).reshape(size + 2 * padding, -1)
    assert (padded[inside, inside] == grad_x[0, ..., 0]).all()
    assert shown(driver, "grad_weight") == conv.weight.grad.ravel().tolist()
    assert page["gradColumns"] == (grad_y.reshape(-1, 1) * conv.weight.value.reshape(1, -1)).tolist()


def test_col2im_of_numbers_that_are_no_product(browser):
    driver = browser(PAGE)
    rng = np.random.default_rng(0)
    for size, kernel, stride, padding in GEOMETRIES:
        across = (size + 2 * padding - kernel) // stride + 1
        columns = rng.integers(-9, 9, (across**2, kernel**2)).astype(float)
        geometry = {"size": size, "kernel": kernel, "stride": stride, "padding": padding}
        script = "return explore.col2im(arguments[0], arguments[1])"
        got = driver.execute_script(script, columns.tolist(), geometry)
        assert got == col2im(columns, (1, size, size, 1), kernel, stride, padding)[0, ..., 0].tolist()


def test_halfway_the_sums_are_those_of_the_windows_so_far(browser):
    driver = open_with(browser, 5, 3, 1, 0)
    page = driver.execute_script("return explore.numbers()")
    driver.find_element(By.CSS_SELECTOR, "input[value=backward]").click()
    driver.execute_script("explore.steps.go(4)")
    grad_y = np.array(page["gradY"], float)
    grad_y[5:] = 0  # the windows after the fifth have not come yet
    x = np.array(page["image"], float).reshape(1, 5, 5, 1)
    conv = Conv2d(1, 1, 3, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
    conv.weight.value = np.array(page["weight"], float).reshape(3, 3, 1, 1)
    grad_x = conv.backward(grad_y.reshape(1, 3, 3, 1), x)
    assert shown(driver, "grad_x") == grad_x.ravel().tolist()
    assert shown(driver, "grad_weight") == conv.weight.grad.ravel().tolist()
    assert len(shown(driver, "grad_columns")) == 5 * 9, "later rows are still empty"


def test_window_row_weights_and_output_light_up_together_and_are_said_in_words(browser):
    driver = open_with(browser, 5, 3, 2, 0)  # four windows
    slider = driver.find_element(By.CSS_SELECTOR, ".stepper input")
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)  # the third: row 1, column 0
    count = "return document.querySelectorAll(`[data-name=${arguments[0]}] rect[stroke]`).length"
    lit = {name: driver.execute_script(count, name) for name in ("image", "columns", "weight", "y")}
    assert lit == {"image": 9, "columns": 9, "weight": 9, "y": 1}
    page = driver.execute_script("return explore.numbers()")
    window = np.array(page["image"])[2:5, 0:3].ravel()
    y = int(window @ page["weight"])
    words = driver.find_element(By.CSS_SELECTOR, "[aria-live]").text.replace("−", "-")
    assert "rows 2 to 4 and columns 0 to 2" in words and f"y[1, 0] = {y}." in words
    sums = driver.find_element(By.CSS_SELECTOR, ".sums").text.replace("−", "-").splitlines()
    assert sums[-1] == f"= {y}" and sums[0].count("·") == 9
    assert eval(sums[0].removeprefix("y = ").replace("·", "*")) == y
    assert eval(sums[1].removeprefix("= ")) == y
    assert shown(driver, "y")[2] == y and len(shown(driver, "y")) == 3


def test_buttons_step_and_play(browser):
    driver = open_with(browser, 4, 3, 1, 0)
    back, play, following = driver.find_elements(By.CSS_SELECTOR, ".stepper button")
    position = driver.find_element(By.CSS_SELECTOR, ".position")
    disabled = lambda button: button.get_attribute("aria-disabled") == "true"  # noqa: E731
    assert position.text == "Window 1 of 4" and disabled(back)
    following.click()
    assert position.text == "Window 2 of 4" and not disabled(back)
    play.click()
    assert play.text == "Pause"
    driver.execute_async_script("setTimeout(arguments[0], 2600)")
    assert position.text == "Window 4 of 4" and play.text == "Play" and disabled(following)
    back.click()
    for _ in range(2):
        following.send_keys(Keys.ENTER)
    assert position.text == "Window 4 of 4" and driver.switch_to.active_element == following


def test_choosing_a_window_pauses(browser):
    driver = open_with(browser, 4, 3, 1, 0)
    play = driver.find_element(By.CSS_SELECTOR, ".stepper .play")
    play.click()
    driver.execute_script("document.querySelectorAll('[data-name=y] .cell')[2].dispatchEvent(new Event('click'))")
    assert play.text == "Play" and driver.find_element(By.CSS_SELECTOR, ".position").text == "Window 3 of 4"


def test_a_kernel_that_does_not_fit_is_said_in_words(browser):
    driver = open_with(browser, 3, 4, 1, 0)
    assert "does not fit" in driver.find_element(By.CSS_SELECTOR, "[aria-live]").text
    assert not driver.find_elements(By.CSS_SELECTOR, ".panels figure")


def test_a_kernel_that_does_not_fit_ends_the_playing(browser):
    """The fixture fails when the console has an error."""
    driver = open_with(browser, 3, 3, 1, 0)
    driver.find_element(By.CSS_SELECTOR, ".stepper .play").click()
    Select(driver.find_element(By.XPATH, "//label[span='Kernel']/select")).select_by_value("4")
    driver.execute_async_script("setTimeout(arguments[0], 1300)")
    driver.find_element(By.CSS_SELECTOR, "input[value=backward]").click()
    assert "does not fit" in driver.find_element(By.CSS_SELECTOR, "[aria-live]").text
