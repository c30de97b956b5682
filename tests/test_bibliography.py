"""docs/bibliography.md has every work that is cited, once, and no other."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "docs" / "_ext"))
from bibliography import ROOT, Work, citations, sources, works


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_citation_is_of_a_work_in_the_bibliography(path):
    assert not [written for written, work in citations(path) if work is None]


def test_every_work_is_cited():
    cited = {work for path in sources() for _, work in citations(path)}
    assert not [work for work in works() if work not in cited]


def test_works_are_listed_once_by_author():
    listed = works()
    assert not [work for work, times in Counter(listed).items() if times > 1]
    first_authors = [work.authors.split(",")[0].split(" and ")[0].removesuffix(" et al.").lower() for work in listed]
    assert first_authors == sorted(first_authors)


CHELLAPILLA = "High Performance Convolutional Neural Networks for Document Processing"


@pytest.mark.parametrize(
    "text, titles",
    [
        ("(He et al. 2015, section 4.2)", ["Deep Residual Learning for Image Recognition"]),
        (
            'He, Zhang,\n# Ren, Sun 2015, "Delving Deep\n# into Rectifiers", equation 1',
            ["Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification"],
        ),
        ("which Van Laarhoven (2017) calls", ["L2 Regularization versus Batch and Weight Normalization"]),
        (f'Chellapilla, Puri and Simard\n    2006, "{CHELLAPILLA}".', [CHELLAPILLA] * 2),  # once more by its title
        ('see "Dive into Deep Learning", on ResNet', ["Dive into Deep Learning"]),
        ('He et al. 2015, "Another Paper"', [None]),
        ("Nobody and Noone 1999", [None]),
        ("In 2015, He et al. trained; since June 2026; ILSVRC 2015; [[1000, 2000]]", []),
    ],
)
def test_citations_as_people_write_them(text, titles, tmp_path):
    (tmp_path / "page.md").write_text(text)
    found = [work for _, work in citations(tmp_path / "page.md")]
    assert [work.title if isinstance(work, Work) else None for work in found] == titles
