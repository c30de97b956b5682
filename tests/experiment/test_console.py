"""What a run prints while it trains."""

from __future__ import annotations

import io
import re
import sys
import time
from types import SimpleNamespace

import pytest
from tiny_run import RECIPE, go

from resnet_scratch import data
from resnet_scratch.experiment import console, storage, trainer
from resnet_scratch.experiment.run import Settings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_of_80_columns_gets_a_whole_progress_bar(tmp_path, tiny_dataset, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(console, "REFRESH_SECONDS", 0)
    monkeypatch.setenv("COLUMNS", "80")
    go(tmp_path / "run", tiny_dataset)
    shown = re.split(r"[\r\n]|\x1b\[A", sys.stderr.getvalue())
    bars = [
        line for line in shown if re.search(r"^epoch [123]/3 \|.*\| .* left, .* images/s, loss .*, accuracy .*%$", line)
    ]
    assert {line[:9] for line in bars} == {"epoch 1/3", "epoch 2/3", "epoch 3/3"}
    assert max(map(len, shown)) <= 80


@pytest.mark.parametrize("epochs, validation", [(12, 0), (164, 0), (9998, 5000)])
def test_a_line_of_an_epoch_fits_under_its_heading(epochs, validation):
    row = dict(epoch=epochs // 2, train_loss=2.3026, train_accuracy=1.0, test_loss=12.3456, test_accuracy=0.1)
    run = SimpleNamespace(
        settings=SimpleNamespace(validation=validation),
        epochs=epochs,
        step=390 * epochs // 4,
        total_steps=390 * epochs,
        seconds=120_000.0,  # so three times as long is left
        finished=False,
        history=[{**row, "images_per_second": 12345.6}],
    )
    heading, line = console.heading(run), console.epoch_line(run)
    assert line.split() == [f"{epochs // 2}/{epochs}", *"2.303 100.0% 12.346 10.0% 12346 100 h 0 min".split()]
    assert f"{'val' if validation else 'test'} loss" in heading and len(heading) == len(line) <= 80
    for name, value in (("train loss", "2.303"), ("images/s", "12346")):
        assert heading.index(name) + len(name) == line.index(value) + len(value)  # aligned to the right


@pytest.mark.parametrize("loss, text", [(99999.9994, "99999.999"), (1e5, "1.00e+05"), (3.4567e12, "3.46e+12")])
def test_a_line_keeps_its_columns_where_a_run_diverges(loss, text):
    row = dict(epoch=1, train_loss=loss, train_accuracy=0.1, test_loss=loss, test_accuracy=0.1, images_per_second=9.0)
    run = SimpleNamespace(settings=SimpleNamespace(validation=0), epochs=2, step=1, total_steps=2, seconds=9.0,
                          finished=True, history=[row])  # fmt: skip
    heading, line = console.heading(run), console.epoch_line(run)
    for name in ("train loss", "test loss"):
        end = heading.index(name) + len(name)
        assert line[:end].endswith(" " + text)


def test_time_for_saving_and_printing_is_not_time_of_training(tmp_path, tiny_dataset, monkeypatch):
    now, save = [0.0], trainer.save

    def pass_time(seconds):
        now[0] += seconds

    def save_slowly(run):
        pass_time(100)
        save(run)

    batches = data.training_batches
    monkeypatch.setattr(trainer, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(trainer, "save", save_slowly)
    monkeypatch.setattr(data, "training_batches", lambda *rest: (pass_time(2) or batch for batch in batches(*rest)))
    started = storage.start(Settings(RECIPE), tmp_path / "run", "cpu", tiny_dataset)
    trainer.finish(started, lambda line: pass_time(50))
    assert [row["images_per_second"] for row in started.history] == [4, 4, 4]  # a batch of 8 in 2 seconds
    assert [row["seconds"] for row in started.history] == [12, 12 + 162, 12 + 2 * 162]


def test_times_are_readable():
    assert [console.duration(s) for s in (0.4, 59, 75, 3600, 7384)] == [
        "0 s",
        "59 s",
        "1 min 15 s",
        "1 h 0 min",
        "2 h 3 min",
    ]


def test_the_speed_of_a_run_that_was_resumed_within_an_epoch_is_that_of_its_new_steps(
    tmp_path, tiny_dataset, monkeypatch
):
    monkeypatch.setattr(sys, "stderr", Terminal())
    started = storage.start(Settings(RECIPE), tmp_path / "run", "cpu", tiny_dataset)
    started.step = 5
    bar = console.ProgressBar(started)
    bar.begin_epoch(started)
    time.sleep(0.2)
    bar.advance(started)
    bar.close()
    shown = re.findall(r"([\d.]+) images/s", sys.stderr.getvalue())
    assert 0 < float(shown[-1]) <= 8 / 0.2  # one batch of 8 images in at least 0.2 seconds
