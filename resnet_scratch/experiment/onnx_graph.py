"""A network as an ONNX model, which ONNX Runtime and most tools for deployment read. Needs onnx.

Here a layer is called with the names of values instead of arrays. It adds what it computes to the graph and returns
the name of its output. So calling a block's formula, `__call__`, records it. ONNX has torch's layout: images
(N, C, H, W), weights (O, C, KH, KW).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..errors import UserError
from ..layers import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    SubsamplePad,
)
from ..layers.layer import Buffer, Layer
from ..models import ResNet
from ..models.torch_layout import to_torch
from .weights import About

OPSET, IR_VERSION = 17, 8  # from 2022: by now they are supported everywhere


class Op(NamedTuple):
    """An operation of ONNX's: its name, its arrays (after the values that it is called with), and its attributes."""

    kind: str
    arrays: dict[str, Any] = {}
    attributes: dict[str, Any] = {}


def _windows(layer: AvgPool2d | Conv2d | MaxPool2d) -> dict[str, Any]:
    return {"kernel_shape": layer.kernel_size, "strides": layer.stride, "pads": layer.padding * 2}


def _conv(layer: Conv2d) -> list[Op]:
    return [Op("Conv", {"weight": layer.weight, "bias": layer.bias}, _windows(layer))]


def _batch_norm(layer: BatchNorm2d) -> list[Op]:
    names = ("weight", "bias", "running_mean", "running_var")
    return [Op("BatchNormalization", {name: getattr(layer, name) for name in names}, {"epsilon": layer.eps})]


def _linear(layer: Linear) -> list[Op]:
    return [Op("Gemm", {"weight": layer.weight, "bias": layer.bias}, {"transB": 1})]  # x @ weight.T + bias


def _subsample_pad(layer: SubsamplePad) -> list[Op]:
    """Every stride-th row and column, then zeros for the channels before and after."""
    slices = {"starts": [0, 0], "ends": [2**31, 2**31], "axes": [2, 3], "steps": [layer.stride, layer.stride]}
    before, after = layer.old_channels.start, layer.out_channels - layer.old_channels.stop
    return [Op("Slice", slices), Op("Pad", {"pads": [0, before, 0, 0, 0, after, 0, 0]})]


# What each layer is in ONNX: operations, each of which takes the output of the one before.
OPERATIONS: dict[type[Layer], Callable[[Any], list[Op]]] = {
    Add: lambda layer: [Op("Add")],
    AvgPool2d: lambda layer: [Op("AveragePool", {}, {**_windows(layer), "count_include_pad": 1})],
    BatchNorm2d: _batch_norm,
    Conv2d: _conv,
    Flatten: lambda layer: [Op("Transpose", {}, {"perm": (0, 2, 3, 1)}), Op("Flatten")],  # our order of channels
    GlobalAvgPool2d: lambda layer: [Op("GlobalAveragePool"), Op("Flatten")],
    Linear: _linear,
    MaxPool2d: lambda layer: [Op("MaxPool", {}, _windows(layer))],
    ReLU: lambda layer: [Op("Relu")],
    SubsamplePad: _subsample_pad,
}


def onnx_model(model: ResNet, about: About) -> Any:
    """An onnx.ModelProto, `images` (N, 3, H, W) float32 -> `logits` (N, classes), in evaluation mode.

    The images are normalised as for the network itself: (pixel / 255 - mean) / std, red, green, blue. H and W are
    `about.image_size`, N is free. The model's metadata hold `mean`, `std` and `classes` as JSON.

    Raises UserError without onnx, for a layer that has no form in ONNX, and for an `about` of another network.
    """
    try:
        from onnx import TensorProto, checker, helper, shape_inference
    except ImportError:
        raise UserError("writing .onnx needs onnx (pip install onnx)") from None
    graph = _Graph()
    graph.trace(model, "")("images")
    graph.nodes[-1].output[0] = "logits"  # of the last layer, fc
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, *about.image_size])
    outputs = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(about.classes)])
    proto = helper.make_model(
        helper.make_graph(graph.nodes, about.config["name"], [images], [outputs], graph.arrays),
        producer_name="resnet_scratch",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        doc_string="images: (N, 3, H, W) float32, red, green, blue, (pixel / 255 - mean) / std; logits: (N, classes)",
    )
    metadata = {"mean": about.mean, "std": about.std, "classes": about.classes}
    helper.set_model_props(proto, {name: json.dumps(value) for name, value in metadata.items()})
    try:
        checker.check_model(proto, full_check=True)
    except shape_inference.InferenceError as error:
        raise UserError(f"about does not fit the network, which has other outputs or images: {error}") from None
    return proto


class _Traced:
    """Takes a layer's place while the graph is made: formulas call it as they would call the layer. It holds those that
    take the place of the layers below, by name and in order."""

    def __init__(self, formula: Callable[..., str], children: dict[str, Callable[..., str]]) -> None:
        self._formula, self._row = formula, list(children.values())
        vars(self).update(children)

    def __call__(self, *inputs: str) -> str:
        return self._formula(self, *inputs)

    def __iter__(self) -> Iterator[Callable[..., str]]:
        return iter(self._row)

    def __getitem__(self, index: int) -> Callable[..., str]:
        return self._row[index]


class _Graph:
    """The nodes and arrays collected so far."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self._uses: Counter[str] = Counter()  # of each layer: one without arrays may be used twice

    def trace(self, layer: Layer, name: str) -> Callable[..., str]:
        """The layer as a function from the names of its inputs to that of its output, which adds its nodes."""
        if type(layer) in OPERATIONS:
            return partial(self._add, name, OPERATIONS[type(layer)](layer))
        formula = type(layer).__call__
        if formula is Layer.__call__:
            raise UserError(
                f"{name or 'model'} ({type(layer).__name__}) has no form in ONNX: add it to OPERATIONS in "
                "experiment/onnx_graph.py, or write its __call__ as a formula over its layers"
            )
        children = {key: self.trace(child, f"{name}.{key}" if name else key) for key, child in layer.children()}
        return _Traced(formula, children)

    def _add(self, name: str, operations: list[Op], *inputs: str) -> str:
        from onnx import helper, numpy_helper

        self._uses[name] += 1
        again = f"#{self._uses[name]}" if self._uses[name] > 1 else ""
        for kind, arrays, attributes in operations:
            for key, value in arrays.items():
                if value is None:  # a layer without a bias
                    continue
                if not again:
                    array = to_torch(value.value).astype(np.float32) if isinstance(value, Buffer) else np.array(value)
                    self.arrays.append(numpy_helper.from_array(array, f"{name}.{key}"))
                inputs += (f"{name}.{key}",)
            output = f"{name}.{kind}{again}"
            self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
            inputs = (output,)
        return output
