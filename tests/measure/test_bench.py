import time

import numpy as np
import pytest
from click.testing import CliRunner

from resnet_scratch.cli import main
from resnet_scratch.measure import bench

TASK = bench.Task("resnet8", batch_size=4, image_size=16)


def test_a_race_is_run_in_turn_and_its_first_two_rounds_do_not_count():
    order = []
    seconds = bench.race({"a": lambda: order.append("a"), "b": lambda: (order.append("b"), time.sleep(0.01))}, 3)
    assert order == ["a", "b"] * 5 and [len(times) for times in seconds.values()] == [3, 3]
    assert min(seconds["b"]) >= 0.01 > max(seconds["a"])


def test_a_step_changes_the_weights_and_inference_does_not(monkeypatch):
    models = []
    monkeypatch.setattr(bench, "build", lambda *a, build=bench.build, **k: models.append(build(*a, **k)) or models[-1])
    jobs = bench.our_jobs(TASK)

    def weights():
        return np.concatenate([p.value.ravel() for p in models[0].parameters()])

    start = weights()
    jobs["inference"]()
    assert np.array_equal(weights(), start)
    jobs["training step"]()
    assert not np.array_equal(weights(), start)


def test_multiply_adds_of_a_convolutional_network_by_hand():
    """ResNet-8 on 16x16: stem, then 2, 1 + 1 and 1 + 1 convolutions, classifier; each thrice in a training step."""
    stage = 256 * 9 * 16 * 16
    forward = 4 * (256 * 9 * 3 * 16 + 2 * stage + 2 * (stage // 2 + stage) + 640)
    assert bench.multiply_adds(TASK) == {"training step": 3 * forward, "inference": forward}


def test_layer_times_name_every_layer_that_does_something():
    rows = bench.layer_times(TASK, repeats=1)
    names = [row[0] for row in rows]
    assert names[:3] == ["conv1", "bn1", "relu"] and names[-2:] == ["avgpool", "fc"]
    assert all(forward > 0 for _, _, forward, _, _ in rows)
    by_name = {row[0]: row for row in rows}
    assert by_name["conv1"][4] == 3 * 4 * 256 * 27 * 16 and by_name["relu"][4] == 0


def test_the_machine_reaches_a_believable_speed():
    assert 1e8 < bench.sgemm_peak(256) < 1e14


@pytest.mark.parametrize("option", [[], ["--layers"], ["--layers", "--device", "cuda"]])
def test_the_command_prints_its_table(option, gpu):
    result = CliRunner().invoke(
        main, ["bench", "resnet8", "--batch-size", "4", "--image-size", "16", "--repeats", "1", *option]
    )
    assert result.exit_code == 0, result.output
    assert "training step   resnet_scratch" in result.output and "inference" in result.output
    assert ("layer1.0.conv1" in result.output) == bool(option)
    assert ("cuda:0 (Stand-in" in result.output) == ("cuda" in option)


def test_waiting_for_the_device_counts(gpu, monkeypatch):
    """A GPU is told what to do and does it later: without waiting one would measure how fast it is told."""
    waits = []
    monkeypatch.setattr(gpu.cuda.Device, "synchronize", lambda self: waits.append(self.id))
    jobs = bench.our_jobs(bench.Task("resnet8", 2, 8, device="cuda:1"))
    jobs["training step"](), jobs["inference"]()
    assert waits == [1, 1]


def test_comparisons_with_the_processor_are_not_made_on_a_gpu(gpu):
    result = CliRunner().invoke(main, ["bench", "resnet8", "--device", "cuda", "--memory"])
    assert result.exit_code == 2 and "summary --batch-size" in result.output


def test_waiting_for_slow_batches_shows(monkeypatch):
    def slow(dataset, batch_size, seed):
        while True:
            time.sleep(0.2)
            yield dataset.train_images[:batch_size].astype(np.float32), dataset.train_labels[:batch_size]

    task = bench.Task("resnet8", batch_size=4, image_size=32)
    assert bench.waiting_share(task, 3) < 0.5
    monkeypatch.setattr(bench, "training_batches", slow)
    assert bench.waiting_share(task, 3) > 0.5
