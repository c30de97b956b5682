"""`cifar10-quick`, but with whitening filters in the first convolution at the start, not random ones: do they help?

    python benchmarks/whitening.py runs/whitening --data-dir DIR    trains, or goes on where it stopped

Half of the filters are the directions in which patches of the training images vary most, the eigenvectors of their
covariance, each divided by the standard deviation in that direction. The other half are the same with the opposite
sign, because ReLU passes only one side. They are trained like all other weights. (Page 2018, "How to Train Your
ResNet", part 8; Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU". Both keep theirs fixed.)
"""

import dataclasses

import numpy as np
from many_runs import parser, spread
from quick_ladder import results, run

from resnet_scratch.compute.backend import Array
from resnet_scratch.data.augment import normalise
from resnet_scratch.experiment.recipe import find
from resnet_scratch.experiment.run import Run
from resnet_scratch.layers.windows import Pair, im2col

RECIPE = dataclasses.replace(find("cifar10-quick"), name="whitening")
IMAGES = 5000  # Jordan's number
EPSILON = 5e-4  # Jordan's: keeps the filters finite in directions in which patches hardly vary


def whitening_filters(images: Array, kernel_size: Pair, stride: Pair, count: int) -> Array:
    """From normalised images (N, H, W, C) to `count` filters (KH, KW, C, count) without padding, the last half the
    opposite of the first. Raises AssertionError unless `count` is even and there are enough directions."""
    patches = im2col(images, kernel_size, stride, (0, 0))  # a row for each
    variances, directions = np.linalg.eigh(np.cov(patches, rowvar=False))  # columns, the largest variance last
    assert count % 2 == 0 and count // 2 <= len(variances), count
    filters = (directions / np.sqrt(variances + EPSILON))[:, ::-1][:, : count // 2]
    both_signs = np.concatenate([filters, -filters], axis=1)
    return both_signs.reshape(*kernel_size, images.shape[3], count).astype(images.dtype)


def whiten(run: Run) -> None:
    """Put the filters into the run's first convolution."""
    data, conv = run.dataset, run.model.conv1
    images = normalise(data.train_images[:IMAGES], data.mean, data.std)
    conv.weight.value[:] = whitening_filters(images, conv.kernel_size, conv.stride, conv.out_channels)


if __name__ == "__main__":
    options = parser(__doc__, draws=False).parse_args()
    for seed in range(options.seeds):
        run(RECIPE, seed, options.runs / f"whitening-{seed}", options.data_dir, begin=whiten)
    without_flips, with_flips, _ = results(options.runs, "whitening")
    print(f"accuracy: {spread(without_flips, '.2f')} %, with flips {spread(with_flips, '.2f')} %")
