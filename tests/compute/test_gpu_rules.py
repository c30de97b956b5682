"""What a GPU would make slow, or refuse, does not happen; and what watches over it sees each way of getting it wrong.

With `--device cuda` these tests are left out: the real CuPy does not count.
"""

import re

import numpy as np
import pytest

from resnet_scratch.compute.backend import to_device
from resnet_scratch.data import batches as data_batches
from resnet_scratch.data import training_batches
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.layers import ReLU
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.measure.summary import summarise, training_memory
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.schedules import constant
from resnet_scratch.train import train

BATCH, SIZE = 4, 8


@pytest.fixture
def counts(standin):
    return standin._counts


def setting(name="resnet8", device="cuda:0"):
    model = build(name, rng=np.random.default_rng(0)).to(device)
    rng = np.random.default_rng(1)
    images, labels = rng.standard_normal((BATCH, SIZE, SIZE, 3), np.float32), rng.integers(0, 10, BATCH)
    return model, SGD(model.parameters(), weight_decay=1e-4), (to_device(images, device), to_device(labels, device))


def one_step(model, optimizer, batch):
    (step,) = train(model, optimizer, [batch], constant(0.1), 1, label_smoothing=0.1)
    return step


def the_rules(counts, step):
    """Which rules a call breaks, with the optimizer's arrays allocated and everything on the device beforehand."""
    counts.reset()
    step()
    broken = []
    if counts.to_device or counts.to_host:
        broken.append(f"transfers: {counts.to_device} to the device, {counts.to_host} to the host")
    if counts.waits:
        broken.append(f"waits: {counts.waits}")
    if "float64" in counts.dtypes:
        broken.append("float64")
    return broken


@pytest.mark.parametrize("name", ["resnet8", "resnet20", "preact20", "plain20", "article", "resnet18"])
def test_a_step_makes_no_transfer_does_not_wait_and_stays_float32(counts, name):
    model, optimizer, batch = setting(name)
    one_step(model, optimizer, batch)
    assert the_rules(counts, lambda: one_step(model, optimizer, batch)) == []
    found = {b.value.dtype for _, b in model.named_buffers()} | {p.grad.dtype for p in model.parameters()}
    assert found | {v.dtype for state in optimizer.states for v in state.values()} == {np.dtype(np.float32)}


def test_the_number_of_launches_of_a_step_is_known_and_small(counts):
    """Measured: 1,527 for ResNet-20, of which batch norm has the most. Each costs a GPU some microseconds."""
    model, optimizer, batch = setting("resnet20")
    one_step(model, optimizer, batch)
    counts.reset()
    one_step(model, optimizer, batch)
    assert 1_200 < counts.launches <= 1_540, counts.launches


@pytest.mark.parametrize("name, size, batch_size", [("resnet20", 32, 8), ("resnet18", 64, 8), ("resnet50", 64, 2)])
def test_the_peak_of_device_memory_is_what_the_summary_says(counts, name, size, batch_size):
    start = counts.in_use
    rows = summarise(build(name, rng=np.random.default_rng(0)), size)
    model = build(name, rng=np.random.default_rng(0)).to("cuda:0")
    optimizer = SGD(model.parameters())
    images = np.zeros((batch_size, size, size, 3), np.float32)
    batch = to_device(images, "cuda:0"), to_device(np.zeros(batch_size, int), "cuda:0")
    one_step(model, optimizer, batch)
    counts.reset()
    one_step(model, optimizer, batch)
    expected = training_memory(rows, batch_size)
    assert expected.kept < counts.peak - start == pytest.approx(expected.gpu_peak, rel=0.1)


def test_data_on_the_device_are_augmented_there(counts, tiny_dataset, monkeypatch):
    monkeypatch.setattr(data_batches, "_prefetch", lambda batches_from, step: batches_from(step))  # to be counted here
    dataset = tiny_dataset.to("cuda:0")
    batches = training_batches(dataset, 8, seed=0)
    next(batches)
    counts.reset()
    images, labels = next(batches)
    assert counts.to_host == 0 and counts.to_device <= 8  # the order and what is drawn at random: a few small arrays
    assert images.dtype == np.float32 and type(images).__module__ == "cupy"
    (x, y), (there_x, there_y) = (next(training_batches(d, 8, seed=0)) for d in (tiny_dataset, dataset))
    assert np.array_equal(x, there_x.get()) and np.array_equal(y, there_y.get())


def test_a_run_on_the_device_is_the_run_on_the_host(counts, tiny_dataset):
    losses = {}
    for device in ("cpu", "cuda:0", "cuda:1"):  # on the second GPU with threads that begin on the first
        dataset = tiny_dataset.to(device)
        model = build("resnet8", 4, rng=np.random.default_rng(0)).to(device)
        batches = training_batches(dataset, 8, seed=0)
        steps = train(model, SGD(model.parameters()), batches, constant(0.05), 6)
        losses[device] = [float(step.loss) for step in steps]
        batches.close()
    assert losses["cuda:0"] == losses["cuda:1"]
    assert losses["cpu"][:2] == pytest.approx(losses["cuda:0"][:2], rel=1e-4)  # then rounding makes its own way
    assert model.fc.weight.value.device.id == 1
    there = evaluate(model, dataset.test_images, dataset.test_labels, dataset.mean, dataset.std)
    model.to("cpu")
    here = evaluate(model, tiny_dataset.test_images, tiny_dataset.test_labels, dataset.mean, dataset.std)
    assert there.loss == pytest.approx(here.loss, rel=1e-5) and there.accuracy == here.accuracy


# and now every way of getting it wrong


def test_a_planted_numpy_call_is_caught(counts, monkeypatch):
    model, optimizer, batch = setting()
    right = ReLU.forward
    monkeypatch.setattr(ReLU, "forward", lambda self, x, training=False: (np.maximum(x, 0), x))
    with pytest.raises(TypeError, match="ufunc"):
        one_step(model, optimizer, batch)
    monkeypatch.setattr(ReLU, "forward", lambda self, x, training=False: right(self, np.asarray(x), training))
    with pytest.raises(TypeError, match="Implicit conversion"):
        one_step(model, optimizer, batch)
    monkeypatch.setattr(ReLU, "forward", lambda self, x, training=False: (x + np.zeros(x.shape), x))
    with pytest.raises(TypeError, match="Unsupported type"):
        one_step(model, optimizer, batch)
    monkeypatch.setattr(ReLU, "forward", lambda self, x, training=False: (np.concatenate([x, x]), x))
    with pytest.raises(TypeError, match="numpy.concatenate"):
        one_step(model, optimizer, batch)


def test_a_planted_float_of_the_loss_is_caught(counts):
    model, optimizer, batch = setting()
    broken = the_rules(counts, lambda: float(one_step(model, optimizer, batch).loss))
    assert any(rule.startswith("waits: 1") for rule in broken)


def test_a_planted_float64_is_caught(counts, monkeypatch):
    model, optimizer, batch = setting()
    right = ReLU.backward
    half = np.sqrt(0.25)  # a NumPy scalar of float64
    monkeypatch.setattr(ReLU, "backward", lambda self, grad_y, y: right(self, grad_y, y) * half)
    assert the_rules(counts, lambda: one_step(model, optimizer, batch)) == ["float64"]


def test_a_planted_name_that_cupy_lacks_is_caught(counts, gpu, monkeypatch):
    model, optimizer, batch = setting()
    monkeypatch.setattr(ReLU, "forward", lambda self, x, training=False: (gpu.vectorize_all(x), x))
    with pytest.raises(AttributeError, match="vectorize_all"):
        one_step(model, optimizer, batch)
    monkeypatch.setattr(ReLU, "forward", lambda self, x, training=False: (gpu.maximum(x, 0, where=True), x))
    with pytest.raises(TypeError, match=re.escape("unexpected keyword argument 'where'")):
        one_step(model, optimizer, batch)


def test_a_loss_of_labels_on_the_host_is_refused(counts):
    model, optimizer, (images, labels) = setting()
    with pytest.raises((TypeError, ValueError)):
        softmax_cross_entropy(model(images), labels.get())
