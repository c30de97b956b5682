import dataclasses

import pytest

from resnet_scratch.errors import UserError
from resnet_scratch.models.configs import CONFIGS, NAMES, find


def test_the_networks_of_the_papers_are_there():
    cifar = {f"{kind}{depth}" for kind in ("resnet", "plain", "preact") for depth in (20, 32, 44, 56, 110, 1202)}
    imagenet = {f"resnet{depth}" for depth in (18, 34, 50, 101, 152)}
    assert set(NAMES) >= cifar | imagenet | {"article"}
    assert all(config.name == name for name, config in CONFIGS.items())


@pytest.mark.parametrize("name, wanted", [("resnet21", "resnet20"), ("ResNet18", "resnet18"), ("artcle", "article")])
def test_an_unknown_name_suggests_similar_ones(name, wanted):
    with pytest.raises(UserError, match=f"there is no model '{name}'; did you mean .*{wanted}"):
        find(name)


def test_a_name_without_similar_ones_is_an_error_too():
    with pytest.raises(UserError, match="there is no model 'zzz'$"):
        find("zzz")


def test_configurations_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        find("resnet20").stem = "imagenet"
