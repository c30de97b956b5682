"""The network explorer says of each layer what the library says."""

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from resnet_scratch.insight.receptive import receptive_fields
from resnet_scratch.measure.summary import summarise
from resnet_scratch.models import CONFIGS, build


@pytest.fixture
def page(explore):
    return explore("networks")


def choose(driver, name):
    Select(driver.find_element(By.TAG_NAME, "select")).select_by_value(name)


@pytest.mark.parametrize("name", ["resnet20", "resnet110", "plain14", "preact14", "article", "resnet50"])
def test_every_layer_is_that_of_the_library(page, name):
    choose(page, name)
    rows = page.execute_script("return explore.layersOf(explore.networks[arguments[0]])", name)
    config = CONFIGS[name]
    model = build(config, 1000 if name == "resnet50" else 10, rng=np.random.default_rng(1))
    expected = summarise(model, config.image_size)
    assert len(rows) == len(expected)
    for row, right in zip(rows, expected):
        assert (row["name"], row["kind"], tuple(row["shape"])) == (right.name, right.kind, right.output_shape)
        costs = row["parameters"], row["multiplyAdds"], row["memory"]
        assert costs == (right.parameters, right.multiply_adds, right.memory), right.name
    fields = {field.name: (field.size, field.jump) for field in receptive_fields(model)}
    shown = {row["name"]: (row["field"], row["jump"]) for row in rows if row["name"] in fields}
    assert shown == fields
    totals = page.execute_script("return explore.totalsOf(explore.layersOf(explore.networks[arguments[0]]))", name)
    parameters = sum(parameter.value.size for parameter in model.parameters())
    assert totals["parameters"] == parameters
    assert totals["multiply_adds"] == sum(row.multiply_adds for row in expected)
    text = page.find_element(By.CLASS_NAME, "totals").text
    assert f"{parameters:,} parameters" in text


def test_totals_of_all_networks_are_the_recorded_ones(page):
    """The layers are recorded once for equal blocks; the totals were summed by the library over all layers."""
    script = "return Object.values(explore.networks).map((n) => [explore.totalsOf(explore.layersOf(n)), n.totals])"
    pairs = page.execute_script(script)
    assert len(pairs) == len([name for name in CONFIGS if not name.endswith("1202")])
    for summed, recorded in pairs:
        assert summed == recorded


def test_published_sizes(page):
    """He et al. 2015, table 6: 0.27 and 1.7 million parameters; torchvision's documentation: 25,557,032."""
    totals = page.execute_script(
        "return ['resnet20', 'resnet110', 'resnet50'].map((name) => explore.networks[name].totals.parameters)"
    )
    assert [round(totals[0] / 1e6, 2), round(totals[1] / 1e6, 1), totals[2]] == [0.27, 1.7, 25_557_032]


def test_keys_and_pointer_select_a_layer(page):
    choose(page, "resnet8")
    words = page.find_element(By.CSS_SELECTOR, "[aria-live]")
    assert words.text.startswith("conv1, Conv2d 3×3: output 32 × 32 × 16, 432 parameters, 442,368 multiply-adds")
    canvas = page.find_element(By.CLASS_NAME, "canvas")
    canvas.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert words.text.startswith("layer1.0.conv1, Conv2d 3×3")
    assert len(page.find_elements(By.CSS_SELECTOR, ".layer.lit")) == 1
    canvas.send_keys(Keys.END)
    assert words.text.startswith("fc, Linear: output 10, 650 parameters")
    page.find_element(By.CSS_SELECTOR, ".stepper .play").click()
    first = page.find_element(By.CSS_SELECTOR, ".layer")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    ActionChains(page).move_to_element(canvas).move_to_element(first).perform()
    assert words.text.startswith("conv1, Conv2d")
    assert page.find_element(By.CSS_SELECTOR, ".stepper .play").text == "Play", "the pointer pauses"


def test_kernels_and_strides_are_those_of_the_paper(page):
    """He et al. 2015, table 1: 7x7, 64, stride 2; then 3x3 max pool, stride 2; conv3 downsamples with stride 2."""
    titles = page.execute_script(
        "return explore.layersOf(explore.networks.resnet34).map((row) => [row.name, row.title])"
    )
    titles = dict(titles)
    assert titles["conv1"] == "Conv2d 7×7, stride 2" and titles["maxpool"] == "MaxPool2d 3×3, stride 2"
    assert titles["layer1.0.conv1"] == "Conv2d 3×3" and titles["layer2.0.conv1"] == "Conv2d 3×3, stride 2"
    assert titles["layer2.0.downsample.0"] == "Conv2d 1×1, stride 2" and titles["fc"] == "Linear"


def test_costs_by_stage_and_by_kind(page):
    """The parameters of torchvision's resnet50 by stage; 4.09 billion multiply-adds in all."""
    choose(page, "resnet50")
    stages, kinds = page.find_elements(By.CSS_SELECTOR, "table.costs")
    lines = [line.text for line in stages.find_elements(By.CSS_SELECTOR, "tbody tr")]
    assert [line.split()[0] for line in lines] == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
    assert [line.split("B ")[-1] for line in lines[1:5]] == ["215,808", "1.22 million", "7.10 million", "15.0 million"]
    assert "Conv2d 1×1 2.12 billion" in kinds.text and "Conv2d 3×3 1.85 billion" in kinds.text
    choose(page, "resnet34")
    assert "Conv2d 3×3 3.53 billion" in page.find_elements(By.CSS_SELECTOR, "table.costs")[1].text


def test_equal_blocks_are_drawn_once_or_each(page):
    choose(page, "resnet110")
    count = "return document.querySelectorAll('.layer').length"
    folded = page.execute_script(count)
    assert folded == 3 + 7 + 2 * (8 + 7) + 2, "stem; the first stage; two stages with a first block of its own; head"
    page.find_element(By.CSS_SELECTOR, "#explore input[type=checkbox]").click()
    assert page.execute_script(count) == 3 + 54 * 7 + 2 + 2, "54 blocks of seven layers, two with a shortcut's layer"
    width = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.execute_script(width) == 0, "the drawing scrolls, not the page"


def test_boxes_are_to_scale(page):
    choose(page, "resnet18")
    boxes = page.execute_script(
        "return [...document.querySelectorAll('.layer')].map((layer) => {"
        "const box = layer.querySelector('rect:last-child'); return box && [+box.getAttribute('width'),"
        "+box.getAttribute('height')]})"
    )
    rows = page.execute_script("return explore.rows()")
    sizes = [(box, row["shape"]) for box, row in zip(boxes, rows) if row["kind"] == "Conv2d" and not row["aside"]]
    (width, height), (H, _, C) = sizes[0]
    for box, shape in sizes:
        assert box == pytest.approx([width * shape[2] / C, height * shape[0] / H])
