"""The page with the loss landscapes: what was recorded is sound, and turning is a rotation."""

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


@pytest.fixture
def page(explore):
    return explore("landscape")


def view(driver):
    return driver.execute_script("return [explore.view.turn, explore.view.elevation]")


def test_the_recorded_surfaces_have_the_trained_weights_in_the_middle(page):
    data = page.execute_script("return explore.data")
    assert data["guessing"] == pytest.approx(2.302585093)  # ln 10
    middle = len(data["alphas"]) // 2
    assert data["alphas"][middle] == 0
    for network in data["networks"].values():
        surface = np.array(network["surface"])
        assert surface.shape == (len(data["alphas"]),) * 2 and np.isfinite(surface).all()
        assert surface[middle, middle] == pytest.approx(network["loss"], rel=1e-4)
        assert network["loss"] < data["guessing"], "training has achieved something"
        assert surface.min() >= network["loss"] - 0.05, "and no random direction leads much lower"


@pytest.mark.parametrize(("turn", "elevation"), [(0, 0), (0, 90), (37, 20), (-140, 65)])
def test_projecting_is_a_rotation(page, turn, elevation):
    """About the vertical axis, then about the horizontal one: against the product of the two matrices."""
    a, e = np.deg2rad([turn, elevation])
    vertical = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.sin(e), np.cos(e)], [0, np.cos(e), -np.sin(e)]])
    point = np.array([0.3, -0.8, 0.5])
    got = page.execute_script("return explore.project(...arguments)", point.tolist(), turn, elevation)
    assert got == pytest.approx(tilt @ vertical @ point)


def test_keys_sliders_and_dragging_turn(page):
    canvas = page.find_element(By.CLASS_NAME, "turntable")
    words = page.find_element(By.CSS_SELECTOR, "[aria-live]")
    before = page.find_element(By.CSS_SELECTOR, "polygon").get_attribute("points")
    canvas.send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ARROW_UP)
    assert view(page) == [25, 45] and "Turned by 25°, seen from 45°" in words.text
    assert page.find_element(By.CSS_SELECTOR, "polygon").get_attribute("points") != before
    page.find_elements(By.CSS_SELECTOR, "#explore input[type=range]")[1].send_keys(Keys.END)
    assert view(page) == [25, 90] and "a map" in words.text
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    ActionChains(page).move_to_element(canvas).click_and_hold().move_by_offset(40, -60).release().perform()
    assert view(page) == [45, 60]


def test_nearer_pieces_are_drawn_later(page):
    """At elevation 0 and turn 0 the camera looks along +y: the last pieces drawn are those of the lowest y."""
    page.execute_script("explore.view.turn = 0; explore.view.elevation = 5")
    page.find_element(By.CLASS_NAME, "turntable").send_keys(Keys.ARROW_DOWN)
    points = page.execute_script(
        "return [...document.querySelectorAll('[data-name=plain] .net polygon')]"
        ".map((piece) => piece.getAttribute('points'))"
    )
    data = page.execute_script("return explore.data")
    row = np.array(data["networks"]["plain"]["surface"])[0]  # y = -1
    low, high = (
        f(f(map(f, n["surface"])) for n in data["networks"].values()) for f in (min, max)
    )  # of both, as the two share a scale
    heights = 160 - 105 * 1.3 * ((row - low) / (high - low) - 0.5)
    columns = len(row) - 1
    drawn = [float(p.split()[0].split(",")[1]) for p in points[-columns:]]
    assert sorted(drawn) == pytest.approx(sorted(heights[:-1]), abs=0.06)


def test_at_elevation_90_it_is_a_map(page):
    """A regular grid, whatever the heights."""
    page.execute_script("explore.view.turn = 0; explore.view.elevation = 90")
    page.find_element(By.CLASS_NAME, "turntable").send_keys(Keys.ARROW_UP)  # stays at 90
    points = page.execute_script(
        "return [...document.querySelectorAll('[data-name=plain] .net polygon')]"
        ".map((piece) => piece.getAttribute('points'))"
    )
    corners = np.array([[float(v) for v in pair.split(",")] for piece in points for pair in piece.split()])
    count = len(page.execute_script("return explore.data.alphas"))
    expected = 160 + 105 * np.linspace(-1, 1, count)
    for axis in (0, 1):
        assert sorted(set(corners[:, axis].round(1))) == pytest.approx(expected, abs=0.06)


def test_a_line_from_above_encloses_what_is_better_than_guessing(page):
    """At elevation 90 the lines cross the edges of the grid where the loss between two points is that of guessing."""
    page.execute_script("explore.view.turn = 0; explore.view.elevation = 90")
    page.find_element(By.CLASS_NAME, "turntable").send_keys(Keys.ARROW_UP)
    lines = page.execute_script(
        "return [...document.querySelectorAll('[data-name=basic] .contour')].map((line) => line.getAttribute('d'))"
    )
    points = [np.array(pair.split(","), float) for line in lines for pair in line.replace("M", " ").split()]
    data = page.execute_script("return explore.data")
    surface, guessing = np.array(data["networks"]["basic"]["surface"]), data["guessing"]
    count = len(surface) - 1
    for point in points:
        column, row = (point - 160) / 210 * count + count / 2  # y is to the back, which is up
        row = count - row
        low, high = (
            np.floor([row + 0.005, column + 0.005]).astype(int),
            np.ceil([row - 0.005, column - 0.005]).astype(int),
        )
        ends = surface[low[0], low[1]], surface[high[0], high[1]]
        share = max(row - low[0], column - low[1])
        assert ends[0] + share * (ends[1] - ends[0]) == pytest.approx(guessing, abs=0.01)
    crossings = sum((np.diff(surface > guessing, axis=axis)).sum() for axis in (0, 1))
    inner = len({tuple(point) for point in points})
    assert inner == crossings > 20


def test_the_colours_have_a_scale_and_the_edges_numbers(page):
    surfaces = np.array(
        [network["surface"] for network in page.execute_script("return explore.data")["networks"].values()]
    )
    scales = page.find_elements(By.CLASS_NAME, "scale")  # the networks were trained when the site was built
    assert [scale.text.split() for scale in scales] == [["loss", f"{surfaces.min():.2f}", f"{surfaces.max():.2f}"]] * 2
    ticks = page.find_elements(By.CSS_SELECTOR, "[data-name=plain] svg text")
    assert [tick.text for tick in ticks] == ["−1", "0", "1"] * 2
    page.find_element(By.CSS_SELECTOR, "#explore input[type=checkbox]").click()
    assert scales[0].text.split() != scales[1].text.split()
