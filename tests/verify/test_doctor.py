"""The report on this machine, on one that pretends to have GPUs, and on one where something is wrong."""

import re

import numpy as np
import pytest

from resnet_scratch.compute import backend
from resnet_scratch.layers import BatchNorm2d, ReLU
from resnet_scratch.measure.bench import Workload
from resnet_scratch.verify import doctor


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Two checks and a small network: what they measure is tested elsewhere."""
    monkeypatch.setattr(doctor, "CASES", ("ReLU", "Linear"))
    monkeypatch.setattr(doctor, "Workload", lambda model, images, size, device: Workload("resnet8", 2, 8, device))
    monkeypatch.setattr(doctor, "sgemm_peak", lambda device: 1e9)


def only_the_cpu(monkeypatch):
    monkeypatch.setattr(doctor, "devices", lambda: ["cpu"])
    monkeypatch.setattr(doctor, "why_no_gpu", lambda: "the reason")


def test_without_a_gpu_the_report_is_whole_and_says_why(monkeypatch):
    only_the_cpu(monkeypatch)
    report = list(doctor.examine())
    text = "\n".join(report)
    assert "GPU: the reason" in report and "cpu:" in report and doctor.WRONG not in text
    assert re.search(r"^BLAS: \w+ .* kernels for \w+", text, re.M) and re.search(r"^memory: [\d.]+ GB", text, re.M)
    assert re.search(r"2 gradient checks: largest relative error \d", text)
    assert re.search(r"training step \d+ images/s, inference \d+ images/s", text) and "2 GFLOP/s" in text


def test_with_gpus_each_is_tried_and_compared(standin):
    report = list(doctor.examine())
    assert [line for line in report if line.endswith(":")] == ["cpu:", "cuda:0:", "cuda:1:"]
    assert "GPU: cuda:0 (Stand-in, 16.0 GB), cuda:1 (Stand-in, 16.0 GB)" in report
    assert "  the driver supports CUDA 12.8, CuPy was built with 12.8" in report
    assert sum("layer by layer: agree" in line for line in report) == 2


def test_devices_that_differ_are_found_also_where_one_gives_no_numbers(standin, monkeypatch):
    right = BatchNorm2d.backward

    def wrong(self, grad_y, cache):
        return right(self, grad_y, cache) * (1 if isinstance(grad_y, np.ndarray) else np.nan)

    monkeypatch.setattr(BatchNorm2d, "backward", wrong)
    assert sum("layer by layer: WRONG: they differ (largest difference nan)" in line for line in doctor.examine()) == 2


def test_a_wrong_layer_is_found(monkeypatch):
    only_the_cpu(monkeypatch)
    monkeypatch.setattr(ReLU, "backward", lambda self, grad_y, y: -grad_y * (y > 0))
    assert any(line.startswith("  2 gradient checks: WRONG: ReLU (") for line in doctor.examine())


def test_a_loss_that_does_not_fall_is_found(monkeypatch):
    only_the_cpu(monkeypatch)
    right = doctor.SGD.update
    monkeypatch.setattr(doctor.SGD, "update", lambda self, w, g, state, rate: right(self, w, -g, state, rate))  # uphill
    assert any(line.startswith("  ten steps on one batch: WRONG: loss") for line in doctor.examine())


def test_two_cupys_side_by_side_are_named(monkeypatch):
    only_the_cpu(monkeypatch)
    monkeypatch.setattr(doctor, "cupy_packages", lambda: ["cupy-cuda12x==14.0", "cupy-cuda13x==14.0"])
    report = list(doctor.examine())
    assert "CuPy: cupy-cuda12x==14.0, cupy-cuda13x==14.0" in report
    assert any(line.startswith("  WRONG: several CuPys") for line in report)


def test_packages_of_cupy_are_found_by_their_names(tmp_path, monkeypatch):
    for name in ("cupy_cuda12x-14.0.1", "cupy_cuda13x-14.2.0", "cupy_xarray-0.1"):
        (tmp_path / f"{name}.dist-info").mkdir()
        title, _, version = name.replace("_", "-").rpartition("-")
        text = f"Metadata-Version: 2.1\nName: {title}\nVersion: {version}\n"
        (tmp_path / f"{name}.dist-info" / "METADATA").write_text(text)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert backend.cupy_packages() == ["cupy-cuda12x==14.0.1", "cupy-cuda13x==14.2.0"]
