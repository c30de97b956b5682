"""What each layer of each network costs, for the network explorer; blocks that repeat are written once."""

from itertools import groupby

import numpy as np

from resnet_scratch.insight.receptive import receptive_fields
from resnet_scratch.layers.layer import Layer
from resnet_scratch.measure.summary import Row, summarise
from resnet_scratch.models import CONFIGS, ResNetConfig, build

DEEPEST = 152  # the networks of 1202 layers repeat one block 200 times: nothing more to see, and minutes to record


def record() -> dict:
    """By the network's name: its configuration, its layers, its receptive fields and its totals."""
    return {name: _network(config) for name, config in CONFIGS.items() if _depth(config) <= DEEPEST}


def _depth(config: ResNetConfig) -> int:
    """Convolutions on the main path, and the classifier: what the number in a network's name counts."""
    return sum(config.blocks) * (3 if config.block == "bottleneck" else 2) + 2


def _network(config: ResNetConfig) -> dict:
    classes = 1000 if config.image_size == 224 else 10
    model = build(config, classes, rng=np.random.default_rng(0))
    rows = summarise(model, config.image_size)
    return {
        "block": config.block,
        "image_size": config.image_size,
        "depth": _depth(config),
        "classes": classes,
        "parts": _parts(rows, dict(model.named_layers())),
        "fields": [(field.size, field.jump) for field in receptive_fields(model)],
        "totals": {
            "parameters": sum(parameter.value.size for parameter in model.parameters()),
            "multiply_adds": sum(row.multiply_adds for row in rows),
            "memory": sum(row.memory for row in rows),
        },
    }


def _parts(rows: list[Row], layers_by_name: dict[str, Layer]) -> list[dict]:
    """The blocks, and the layers outside of blocks, in forward order; identical neighbouring blocks as one part.

    A part is {"name": of its first block, "count": how many, "layers": [[name within the block, kind, output shape,
    parameters, multiply-adds, memory, kernel size, stride], ...]}; the last two are null where a layer has no kernel.
    """
    parts: list[dict] = []
    for block, group in groupby(rows, lambda row: _block(row.name)):
        layers = [
            (
                row.name.removeprefix(block).lstrip("."),
                row.kind,
                row.output_shape,
                *_costs(row),
                *_kernel(layers_by_name[row.name]),
            )
            for row in group
        ]
        if parts and parts[-1]["layers"] == layers and block.startswith("layer"):
            parts[-1]["count"] += 1
        else:
            parts.append({"name": block, "count": 1, "layers": layers})
    return parts


def _costs(row: Row) -> tuple[int, int, int]:
    return row.parameters, row.multiply_adds, row.memory


def _kernel(layer: Layer) -> tuple[int | None, int | None]:
    """Height (and width) of the kernel, and the stride."""
    if not hasattr(layer, "kernel_size"):
        return None, None
    assert len({*layer.kernel_size}) == len({*layer.stride}) == 1, "the page writes kernels as squares"
    return layer.kernel_size[0], layer.stride[0]


def _block(name: str) -> str:
    """`layer1.0` for `layer1.0.conv2`; `fc` for `fc`."""
    return ".".join(name.split(".")[:2])
