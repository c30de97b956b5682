"""`from resnet_scratch import ...`: the names for everyday use."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import resnet_scratch


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("name, other", [("train", "Step"), ("gradcheck", "Report")])
def test_functions_named_as_their_modules_work_in_either_order(name, other, order):
    imports = [f"from resnet_scratch import {name}", f"from resnet_scratch.{name} import {other}"][::order]
    checks = [
        "import inspect, resnet_scratch",
        f"assert inspect.isfunction({name}) and resnet_scratch.{name} is {name}",
        f"assert inspect.isclass({other}) and {other}.__module__ == 'resnet_scratch.{name}'",
        f"from resnet_scratch.{name} import {name} as again",
        f"assert again is {name}",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(imports + checks)], check=True)


def test_every_name_is_there_and_in_the_docstring_and_is_no_module():
    assert sorted(resnet_scratch.__all__) == [
        "About", "Adam", "Dataset", "SGD", "build", "evaluate", "export_model", "gradcheck", "import_model",
        "load_data", "load_model", "predict", "save_model", "softmax_cross_entropy", "train", "training_batches",
    ]  # fmt: skip
    for name in resnet_scratch.__all__:
        assert callable(getattr(resnet_scratch, name)) and name in resnet_scratch.__doc__


def test_a_network_is_built_trained_and_evaluated_with_these_names_alone(tiny_dataset):
    import numpy as np

    from resnet_scratch import Adam, build, evaluate, train, training_batches

    model = build("resnet8", 4, rng=np.random.default_rng(0))
    batches = training_batches(tiny_dataset, 16, seed=0)
    *_, step = train(model, Adam(model.parameters()), batches, lambda step: 0.01, total_steps=30)
    batches.close()
    result = evaluate(model, tiny_dataset.test_images, tiny_dataset.test_labels, tiny_dataset.mean, tiny_dataset.std)
    assert step.number == 30 and result.accuracy > 0.5  # of 4 classes


CHECKED = r"\ninput .* ok\nweight .* ok\nbias .* ok\n\Z"


@pytest.mark.parametrize(
    "page, promise",
    [("README.md", CHECKED), ("README.zh-CN.md", CHECKED), ("docs/index.md", r"\Atest accuracy \d")],
)
def test_the_example_of_a_first_page_runs(page, promise, capsys):
    text = (Path(__file__).parent.parent / page).read_text(encoding="utf-8")
    example = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[-1]
    exec(compile(example.replace("steps = 600", "steps = 3"), page, "exec"), {})
    printed = capsys.readouterr().out
    assert re.search(promise, printed) and "FAILED" not in printed
