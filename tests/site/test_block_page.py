"""The page on the residual block replays the library's arrays, and the check shows which gradients a mistake spoils."""

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from resnet_scratch.models.blocks import BasicBlock

ALL = {"x", "conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight", "bn2.bias"}


@pytest.fixture
def page(explore):
    return explore("block")


def go(driver, step):
    driver.execute_script("explore.steps.go(arguments[0])", step)


def plant(driver, mistake):
    Select(driver.find_element(By.CSS_SELECTOR, "#explore select")).select_by_value(mistake)


def shown(driver, name):
    """The numbers of a panel, as they are written, with two decimals."""
    script = "return [...document.querySelectorAll(`[data-name='${arguments[0]}'] text`)].map((t) => t.textContent)"
    return np.array([float(text.replace("−", "-")) for text in driver.execute_script(script, name)])


def rebuilt(data):
    """The recorded block, its input and its upstream gradient."""
    block = BasicBlock(1, 1, 1, "A", np.random.default_rng(0)).astype(np.float64)
    for name, parameter in block.named_parameters():
        parameter.value = np.array(data["parameters"][name], float).reshape(parameter.value.shape)
    return block, np.array(data["x"], float).reshape(1, 4, 4, 1), np.array(data["grad_y"], float).reshape(1, 4, 4, 1)


def test_forward_and_backward_are_those_of_the_library(page):
    data = page.execute_script("return explore.data")
    block, x, grad_y = rebuilt(data)
    y, cache = block.forward(x, training=True)
    go(page, 7)
    assert shown(page, "out") == pytest.approx(y.ravel(), abs=0.006)
    grad_x = block.backward(grad_y, cache)
    go(page, page.execute_script("return explore.fork"))
    assert shown(page, "grad_x") == pytest.approx(grad_x.ravel(), abs=0.006)
    assert data["backward"][""]["grad_x"] == grad_x[0, ..., 0].tolist()
    for name, parameter in block.named_parameters():
        assert data["backward"][""]["parameters"][name] == parameter.grad.ravel().tolist(), name


def test_each_forward_step_follows_from_its_input(page):
    """conv, batch norm, ReLU and the addition, by their formulas, from the numbers that the page shows."""
    data = page.execute_script("return explore.data")
    go(page, 1)
    padded = np.pad(np.array(data["x"]), 1)
    weight = shown(page, "conv1.weight").reshape(3, 3)
    conv = [(padded[r : r + 3, c : c + 3] * weight).sum() for r in range(4) for c in range(4)]
    assert shown(page, "out") == pytest.approx(conv)
    go(page, 2)
    scale, shift = shown(page, "bn1.weight")[0], shown(page, "bn1.bias")[0]
    normal = (conv - np.mean(conv)) / np.std(conv) * scale + shift
    assert shown(page, "out") == pytest.approx(normal, abs=0.006)
    go(page, 3)
    assert shown(page, "out") == pytest.approx(np.maximum(normal, 0), abs=0.006)
    go(page, 6)
    total = shown(page, "in") + shown(page, "shortcut")
    assert shown(page, "out") == pytest.approx(total, abs=0.011)
    go(page, 7)
    assert shown(page, "out") == pytest.approx(np.maximum(total, 0), abs=0.011)


def test_the_addition_passes_its_gradient_to_both_and_the_fork_adds(page):
    go(page, 9)
    stopped = shown(page, "kept") <= 0
    assert stopped.any() and (shown(page, "out")[stopped] == 0).all()
    assert (shown(page, "out")[~stopped] == shown(page, "in")[~stopped]).all()
    go(page, 10)
    assert (shown(page, "out") == shown(page, "in")).all() and (shown(page, "out2") == shown(page, "in")).all()
    go(page, page.execute_script("return explore.fork"))
    total = shown(page, "branch") + shown(page, "shortcut")
    assert shown(page, "grad_x") == pytest.approx(total, abs=0.011)


@pytest.mark.parametrize(
    ("mistake", "wrong"),
    [
        ("", set()),
        ("block-forgets-shortcut", {"x"}),  # the branch has its gradients already
        ("add-halves-gradient", ALL),  # it comes first, so everything after it is halved
        ("conv-kernel-not-flipped", {"x", "conv1.weight", "bn1.weight", "bn1.bias"}),  # all below conv2's grad_x
        ("batchnorm-mean-constant", ALL - {"bn2.weight", "bn2.bias"}),  # all below bn2's grad_x
    ],
)
def test_the_check_lights_up_what_the_mistake_spoils(page, mistake, wrong):
    plant(page, mistake)
    rows = page.find_elements(By.CSS_SELECTOR, "#explore .check-table")[0].find_elements(By.CSS_SELECTOR, "tr.differs")
    assert {row.find_element(By.TAG_NAME, "th").text for row in rows} == wrong
    crosses = page.find_elements(By.CSS_SELECTOR, "#explore text.wrong")
    assert len(crosses) == len({name.split(".")[0] for name in wrong})
    go(page, 17)
    words = page.find_element(By.CSS_SELECTOR, "[aria-live]").text
    assert ("fails" in words) == bool(wrong)


@pytest.mark.parametrize(
    ("mistake", "steps"),  # relu2's backward is step 9; then add, bn2, conv2, relu1, bn1, conv1, and the fork
    [
        ("", []),
        ("block-forgets-shortcut", [16]),
        ("add-halves-gradient", [10]),
        ("relu-passes-everything", [9, 13]),
        ("conv-kernel-not-flipped", [12, 15]),
        ("batchnorm-mean-constant", [11, 14]),
    ],
)
def test_the_words_name_the_mistake_where_they_would_be_wrong(page, mistake, steps):
    plant(page, mistake)
    named = []
    for step in range(17):
        go(page, step)
        if "But with the mistake" in page.find_element(By.CSS_SELECTOR, "[aria-live]").text:
            named.append(step)
    assert named == steps


def test_the_fork_is_larger_when_a_step_is_about_it(page):
    radius = "return +document.querySelector('.graph circle').getAttribute('r')"
    radii = []
    for step in (0, 5, 16):
        go(page, step)
        radii.append(page.execute_script(radius))
    assert radii[0] == radii[2] > radii[1]


def test_forgetting_the_shortcut_shows_zeros_at_the_fork(page):
    plant(page, "block-forgets-shortcut")
    go(page, page.execute_script("return explore.fork"))
    assert (shown(page, "shortcut") == 0).all() and (shown(page, "grad_x") == shown(page, "branch")).all()


def test_values_and_gradients_appear_step_by_step(page):
    """One miniature more with each step: its frame is the rectangle without a filling."""
    count = "return document.querySelectorAll('.graph rect[fill=none]').length"
    counts = []
    for step in range(17):
        go(page, step)
        counts.append(page.execute_script(count))
    # eight values; grad_y and relu2's; the addition adds one on each path; conv1's is shown at the fork
    assert counts == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 16, 17]
