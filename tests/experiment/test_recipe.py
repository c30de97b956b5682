from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from resnet_scratch.errors import UserError
from resnet_scratch.experiment.recipe import RECIPES, Recipe, RecipeError, find
from resnet_scratch.layers.layer import Parameter
from resnet_scratch.models import NAMES
from resnet_scratch.optim import SGD, Adam


def test_the_papers_recipe_is_section_4_2():
    recipe = find("paper")
    assert (recipe.batch_size, recipe.momentum, recipe.weight_decay) == (128, 0.9, 1e-4)
    total = recipe.total_steps(steps_per_epoch=390)
    assert total == 64_000
    rates = recipe.learning_rates(total)
    expected = {0: 0.1, 31_999: 0.1, 32_000: 0.01, 47_999: 0.01, 48_000: 0.001, 63_999: 0.001}
    assert {step: rates(step) for step in expected} == pytest.approx(expected)


def test_resnet110_is_warmed_up_for_400_steps():
    recipe = find("paper110")
    rates = recipe.learning_rates(recipe.total_steps(390))
    expected = {0: 0.01, 399: 0.01, 400: 0.1, 31_999: 0.1, 32_000: 0.01}
    assert {step: rates(step) for step in expected} == pytest.approx(expected)


def test_the_short_recipe_is_one_cycle_of_ten_epochs():
    recipe = find("cifar10-fast")
    total = recipe.total_steps(steps_per_epoch=390)
    assert total == 3900
    rates = recipe.learning_rates(total)
    assert [rates(0), rates(1170), rates(3899)] == pytest.approx([0.02, 0.2, 0.0002])
    assert rates(585) == pytest.approx(0.11)  # linear: half of the way up


def test_the_quick_recipes_rate_is_highest_after_a_fifth():
    rates = find("cifar10-quick").learning_rates(1000)
    assert [rates(0), rates(200), rates(999)] == pytest.approx([0.06, 0.6, 0.0006])


def test_another_length_stretches_the_schedule():
    rates = dataclasses.replace(find("paper"), steps=None, epochs=8).learning_rates(800)
    assert [rates(399), rates(400), rates(599), rates(600)] == pytest.approx([0.1, 0.01, 0.01, 0.001])


def test_images_become_larger_at_fractions_of_the_run():
    recipe = dataclasses.replace(find("cifar10-fast"), image_sizes=(16, 24, 32), larger_at=(0.5, 0.75))
    sizes = recipe.sizes_at(total_steps=8)
    assert [sizes(step) for step in range(8)] == [16] * 4 + [24] * 2 + [32] * 2
    assert find("cifar10-fast").sizes_at(8)(3) is None


def test_every_recipe_names_a_model_and_says_what_to_expect():
    for name, recipe in RECIPES.items():
        assert recipe.name == name and recipe.model in NAMES and "%" in recipe.expect


def test_the_optimizer_has_the_recipe_s_numbers():
    parameters = [Parameter(np.ones(1))]
    changes = dict(momentum=0.8, weight_decay=0.25, decay_biases_and_norms=False)
    sgd = dataclasses.replace(find("paper"), nesterov=True, **changes).make_optimizer(parameters)
    assert (sgd.momentum, sgd.nesterov, sgd.weight_decay, sgd.decay_biases_and_norms) == (0.8, True, 0.25, False)
    adam = dataclasses.replace(find("paper"), optimizer="adam", **changes).make_optimizer(parameters)
    assert (adam.beta1, adam.beta2, adam.weight_decay, adam.decay_biases_and_norms) == (0.8, 0.999, 0.25, False)
    assert (type(sgd), type(adam)) == (SGD, Adam)


def test_mistakes_are_told():
    with pytest.raises(RecipeError, match="did you mean paper"):
        find("papr")
    with pytest.raises(TypeError, match="name must be a str, got int"):
        find(5)
    good = dict(
        name="x", model="resnet8", dataset="shapes", expect="", batch_size=8, learning_rate=0.1, schedule="cosine"
    )
    assert Recipe(**good, epochs=2).learning_rates(10)(0) == pytest.approx(0.1)
    for changes, message in [
        (dict(epochs=1, steps=1), "either epochs or steps"),
        (dict(), "either epochs or steps"),
        (dict(epochs=0), "epochs must be a whole number of at least 1, got 0"),
        (dict(epochs=1, learning_rate=math.inf), "learning_rate must be above 0, got inf"),
        (dict(epochs=1, momentum=1.0), "momentum must be at least 0 and below 1, got 1.0"),
        (dict(epochs=1, weight_decay=math.nan), "weight_decay must be at least 0, got nan"),
        (dict(epochs=1, learning_rate=-1), "learning_rate must be above 0"),
        (dict(epochs=1, schedule="zigzag"), "'zigzag'"),
        (dict(epochs=1, optimizer="lion"), "optimizer must be one of sgd, adam, got 'lion'"),
        (dict(epochs=1, crop_padding=-1), "crop_padding must be a whole number of at least 0, got -1"),
        (dict(epochs=1, image_sizes=(0,)), r"image_sizes\[0\] must be a whole number of at least 1, got 0"),
        (dict(epochs=1, image_sizes=(16, 32)), r"larger_at must say in order .*, got \(\) for \(16, 32\)"),
        (dict(epochs=1, image_sizes=(8, 16, 32), larger_at=(0.5, 0.2)), "in order"),
        (dict(epochs=1, batch_norm_group=3), "batch_norm_group must divide batch_size, 8, got 3"),
        (dict(epochs=1, batch_norm_group=0), "batch_norm_group must be a whole number of at least 1, got 0"),
        *(
            (dict(epochs=1) | {name: value}, f"{name} must be a whole number of at least 1, got {value!r}")
            for name in ("batch_size", "epochs", "batch_norm_group")
            for value in (1.5, "32", True, math.nan)
        ),
        (dict(steps=2.5), "steps must be a whole number of at least 1, got 2.5"),
        (dict(epochs=1, learning_rate="0.1"), "learning_rate must be above 0, got '0.1'"),
        (dict(epochs=1, crop_padding=1.5), "crop_padding must be a whole number of at least 0, got 1.5"),
        (dict(epochs=1, warmup=-0.5), "warmup must be at least 0 and at most 1, got -0.5"),
        (dict(epochs=1, warmup_learning_rate=-1), "warmup_learning_rate must be at least 0, got -1"),
        (dict(epochs=1, label_smoothing=2), "label_smoothing must be at least 0 and at most 1, got 2"),
        (dict(epochs=1, peak_at=1), "peak_at must be above 0 and below 1, got 1"),
        (dict(epochs=1, augment="no"), "augment must be True or False, got 'no'"),
        (dict(epochs=1, nesterov=1), "nesterov must be True or False, got 1"),
        (dict(epochs=1, image_sizes=32), "image_sizes must be a tuple, got int"),
        (dict(epochs=1, image_sizes=(16.0,)), r"image_sizes\[0\] must be a whole number of at least 1, got 16.0"),
        (dict(epochs=1, milestones=0.5), "milestones must be a tuple, got float"),
        (dict(epochs=1, milestones=(2,)), r"milestones\[0\] must be at least 0 and at most 1, got 2"),
        (dict(epochs=1, image_sizes=(16, 32), larger_at=("x",)), r"larger_at\[0\] must be at least 0 and .* got 'x'"),
        (dict(epochs=1, optimizer="adam", nesterov=True), "nesterov is for sgd, got the optimizer 'adam'"),
    ]:
        with pytest.raises((UserError, TypeError), match=message):
            Recipe(**{**good, **changes})


def test_numpy_s_numbers_become_numbers_that_a_file_can_hold():
    changes = dict(batch_size=np.int64(64), learning_rate=np.float32(0.5), image_sizes=tuple(np.array([24])))
    recipe = dataclasses.replace(find("paper"), nesterov=np.True_, **changes)
    values = recipe.batch_size, recipe.learning_rate, *recipe.image_sizes, recipe.nesterov
    assert values == (64, 0.5, 24, True) and list(map(type, values)) == [int, float, int, bool]
