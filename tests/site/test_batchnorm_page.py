"""The page on batch norm replays the library's arrays, and its gradient check finds the mistakes that it can find."""

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from resnet_scratch.layers import BatchNorm2d

X = [4, 0, 6, 3, 1, 4]  # mean 3, variance 24 / 6
GRAD_Y = [1, -1, 2, 0, 3, 1]


@pytest.fixture
def page(explore):
    return explore("batchnorm")


def go(driver, step):
    driver.execute_script("explore.steps.go(arguments[0])", step)


def choose(driver, mistake="", grad_y="mixed"):
    for label, value in (("Mistake in backward", mistake), ("grad_y", grad_y)):
        Select(driver.find_element(By.XPATH, f"//label[span='{label}']/select")).select_by_value(value)


def row(driver, name):
    """The numbers of a row of the table."""
    cells = driver.find_elements(
        By.XPATH, f"//table[@class='numbers']//tr[th='{name}']/td[not(contains(@class, 'over'))]"
    )
    return [float(cell.text.replace("−", "-")) for cell in cells if cell.text]


def verdicts(driver):
    return [cell.text[0] for cell in driver.find_elements(By.CSS_SELECTOR, ".check-table tbody td:last-child")]


def test_what_is_shown_is_what_comes_out_by_hand(page):
    go(page, 13)
    x_hat = (np.array(X) - 3) / 2
    assert row(page, "x̂") == pytest.approx(x_hat, abs=0.006)
    assert row(page, "y") == pytest.approx(2 * x_hat + 1, abs=0.006)
    # sum(grad_y) = 6 and sum(grad_y * x_hat) = 2.5; the scale over the deviation is 2 / 2
    assert row(page, "directly") == pytest.approx(GRAD_Y, abs=0.006)
    assert row(page, "through the mean") == pytest.approx([-1] * 6, abs=0.006)
    assert row(page, "through the variance") == pytest.approx(-x_hat * 2.5 / 6, abs=0.006)
    assert row(page, "grad_x") == pytest.approx(np.array(GRAD_Y) - 1 - x_hat * 2.5 / 6, abs=0.006)
    text = page.find_element(By.CSS_SELECTOR, "table.numbers").text
    assert all(part in text for part in ("mean 3", "var 4.00", "sum 6", "sum 2.50", "sum 0.00"))


def test_the_recording_is_that_of_the_library(page):
    data = page.execute_script("return explore.data")
    norm = BatchNorm2d(1).astype(np.float64)
    norm.weight.value[:], norm.bias.value[:] = data["weight"], data["bias"]
    y, cache = norm.forward(np.array(X, float).reshape(3, 1, 2, 1), training=True)
    assert data["y"] == y.ravel().tolist()
    assert [data["running_mean"], data["running_var"]] == [norm.running_mean.value[0], norm.running_var.value[0]]
    for grad_y, key in ((GRAD_Y, "mixed"), ([0, -2, 1, -1, 2, 0], "centred"), ([1] * 6, "ones")):
        grad_x = norm.backward(np.array(grad_y, float).reshape(y.shape), cache)
        recorded = data["backward"][key][""]
        assert recorded["grad_x"] == grad_x.ravel().tolist()
        assert (recorded["grad_weight"], recorded["grad_bias"]) == (norm.weight.grad[0], norm.bias.grad[0])


def test_the_right_backward_agrees_everywhere(page):
    assert verdicts(page) == ["✓"] * 8
    assert "compares 8 of 8 numbers and finds no difference." in page.find_element(By.ID, "explore").text


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        ("batchnorm-mean-constant", "✗✗✗✗✗✗✓✓"),
        ("batchnorm-variance-constant", "✗✗✗✓✗✗✓✓"),  # x = 3 is the mean: its x_hat is 0, and nothing is missing there
        ("batchnorm-means-unbiased", "✗✗✗✗✗✗✓✓"),
        ("batchnorm-evaluation-backward", "✗✗✗✗✗✗✓✓"),
    ],
)
def test_a_mistake_lights_up_where_it_makes_a_difference(page, mistake, expected):
    choose(page, mistake)
    assert "".join(verdicts(page)) == expected
    assert len(page.find_elements(By.CSS_SELECTOR, "tr.verdict.differs")) == expected.count("✗")
    go(page, 14)
    words = page.find_element(By.CSS_SELECTOR, "[aria-live]").text
    assert f"fails: {expected.count('✗')} of 8 numbers differ" in words


def test_a_gradient_of_ones_is_blind(page):
    """The outputs of batch norm always sum to the same, so the loss sum(y) has no gradient with respect to x."""
    choose(page, "batchnorm-variance-constant", "ones")
    assert "".join(verdicts(page)) == "0000000✓"
    assert (
        "compares 1 of 8 numbers and finds no difference. 7 are zero in both gradients"
        in page.find_element(By.ID, "explore").text
    )
    choose(page, "batchnorm-mean-constant", "ones")
    assert "".join(verdicts(page)) == "✗✗✗✗✗✗0✓"


def test_rounding_has_no_colour(page):
    """With all ones grad_x is zero, but for rounding."""
    choose(page, grad_y="ones")
    go(page, 13)
    cells = page.find_elements(By.XPATH, "//table[@class='numbers']//tr[th='grad_x']/td")
    assert {cell.value_of_css_property("background-color") for cell in cells} == {"rgba(0, 0, 0, 0)"}


def test_a_gradient_whose_sum_is_zero_needs_no_gradient_through_the_mean(page):
    go(page, 13)
    of_the_mixture = row(page, "grad_x")
    choose(page, "batchnorm-mean-constant", "centred")
    assert "".join(verdicts(page)) == "✓✓✓✓✓✓✓0" and row(page, "grad_x") == of_the_mixture


def test_steps_fill_the_table_in(page):
    go(page, 2)
    assert row(page, "x − mean") == [1, -3, 3, 0, -2, 1] and row(page, "x̂") == []
    lit = page.find_elements(By.CSS_SELECTOR, "table.numbers td.lit")
    assert [cell.text for cell in lit] == ["1", "−3", "3", "0", "−2", "1"]
    go(page, 8)
    assert "grad_bias = 1 − 1 + 2 + 0 + 3 + 1 = 6" in page.find_element(By.CLASS_NAME, "sums").text
    assert [cell.text for cell in page.find_elements(By.CSS_SELECTOR, "table.numbers td.lit")] == ["sum 6"]
