"""How much a page loads: about 1.5 times what it was when this was written, so that it cannot grow unnoticed."""

import pytest


@pytest.mark.parametrize(
    "page, most",
    [
        ("index.html", 600_000),
        ("tutorials/02_convolution_backward.html", 4_000_000),  # most of it is MathJax
        ("explore/im2col.html", 450_000),
        ("run.html", 450_000),  # Python comes with the first run
    ],
)
def test_bytes_that_a_page_loads(page, most, browser):
    driver = browser(page)
    sizes = driver.execute_script(
        "return ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type))"
        ".map((entry) => entry.encodedBodySize);"  # what was sent, or had been when it is in the cache
    )
    assert len(sizes) > 5 and sizes[0] > 10_000  # the page itself and its parts
    assert sum(sizes) <= most
