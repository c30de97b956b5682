"""Residual networks from scratch: every layer with a forward and a backward that you can read.

These are the names for everyday use, so that `from resnet_scratch import build, train` is enough to begin:

    data          load_data, Dataset, training_batches
    networks      build, save_model, About, load_model, import_model, export_model
    training      train, softmax_cross_entropy, SGD, Adam
    is it right?  gradcheck, evaluate, predict

docs/howto.md shows them at work: your own data, layer, network and optimizer, PyTorch and back.

`resnet_scratch.train` and `resnet_scratch.gradcheck` are these functions, although modules have the same names.
Everything else in the modules is imported as in `from resnet_scratch.train import Step`. Layers are in
`resnet_scratch.layers`, with `Layer` and `Parameter`, from which you build your own.
"""

__version__ = "0.1.0"

from .data import Dataset, training_batches
from .data import load as load_data
from .experiment.evaluation import evaluate, predict
from .experiment.exchange import export_model, import_model
from .experiment.weights import About, load_model, save_model
from .gradcheck import gradcheck
from .losses import softmax_cross_entropy
from .models import build
from .optim import SGD, Adam
from .train import train

__all__ = [
    "SGD", "About", "Adam", "Dataset", "build", "evaluate", "export_model", "gradcheck", "import_model", "load_data",
    "load_model", "predict", "save_model", "softmax_cross_entropy", "train", "training_batches",
]  # fmt: skip
