"""What users get wrong: one message, exit status 2, and nothing written."""

from __future__ import annotations

import warnings

import pytest
from click.testing import CliRunner
from in_process import TRAIN, is_one_message
from PIL import Image

from resnet_scratch.cli import devices, main, processes, tools
from resnet_scratch.cli.settings import settings_of
from resnet_scratch.compute import threads
from resnet_scratch.errors import UserError


@pytest.mark.parametrize("command", [("gradcheck",), ("summary", "resnet8")])
def test_a_number_of_threads_that_is_none_is_told_by_commands_without_the_option(invoke, monkeypatch, command):
    monkeypatch.setenv("RESNET_SCRATCH_THREADS", "abc")
    monkeypatch.setattr(threads, "_threads", None)
    monkeypatch.setattr(threads, "_default", None)
    result = invoke(*command)
    assert "RESNET_SCRATCH_THREADS must be a whole number of at least 1, got 'abc'" in result.output.replace(
        "\n  ", " "
    )
    assert result.exit_code == 2 and "Traceback" not in result.output and "image size" not in result.output


@pytest.mark.parametrize("changes", [{"momentum": 0.0}, {"optimizer": "adam", "learning_rate": 0.01}])
def test_nesterov_goes_with_the_momentum_of_sgd(changes):
    names = "model batch_size learning_rate momentum weight_decay epochs optimizer batch_norm_group"
    unchanged = dict.fromkeys(names.split())
    for choices, nesterov in ((unchanged, True), ({**unchanged, **changes}, False)):
        settings = settings_of("cifar10-quick", None, None, 0, 0, None, False, **choices)
        assert settings.recipe.nesterov == nesterov


def test_adam_does_not_take_the_learning_rate_that_is_meant_for_sgd(invoke, tmp_path):
    result = invoke("train", "--optimizer", "adam")
    assert is_one_message(
        result, "--optimizer adam needs --lr", "rate of the recipe shapes, 0.2, is for sgd", "0.001 to"
    )
    assert not list(tmp_path.iterdir())


def test_a_batch_in_which_a_channel_has_one_value(invoke):
    result = invoke(*TRAIN, "--model", "resnet18", "--batch-size", 1)
    assert result.exit_code == 2 and "Traceback" not in result.output
    assert "more than one value per channel" in result.output and "take more images at a time" in result.output


def test_an_image_that_a_kernel_does_not_fit_into(invoke):
    assert is_one_message(invoke("summary", "resnet8-wide", "--image-size", 1), "does not fit into an image of (1, 1)")
    result = invoke("bench", "resnet8-wide", "--image-size", 1)  # it has printed a heading before
    assert result.exit_code == 2 and "Error: kernel_size (4, 4) does not fit" in result.output


def test_an_argument_is_called_by_the_name_of_its_option():
    assert is_one_message(CliRunner().invoke(main, ["data", "--data-dir", "x"]), "--data-dir says where cifar10 and")


def test_two_arguments_in_a_message_are_called_by_the_names_of_their_options(invoke):
    assert is_one_message(invoke(*TRAIN, "--batch-norm-group", 3), "--batch-norm-group must divide --batch-size, 8")


def test_an_empty_name_as_of_a_variable_that_is_not_set(trained, invoke, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    commands = [("exercises",), ("export", "run"), ("grade", ".", "--out"), ("import", "run", "--out")]
    for command in (*commands, ("data", "--sheet"), ("compare", "run", "--out")):
        assert is_one_message(invoke(*command, ""), "is empty"), command
    assert sorted(tmp_path.rglob("*")) == before


def test_the_state_of_a_run_is_no_file_of_weights(trained, invoke):
    assert is_one_message(invoke("evaluate", "run/state.safetensors"), "is the state of a run; its weights are in")


def test_the_name_of_a_file_stays_as_it_is(trained, invoke):
    """macOS puts a narrow no-break space into the names of its screenshots."""
    name = "Screenshot 1\u202fPM  2.png"
    Image.new("RGB", (8, 8)).save(name)
    assert invoke("predict", "run", name).stdout.startswith(f"{name}: ")
    assert f"Error: {name[:8]} x\u202fy " in invoke("predict", "run", f"{name[:8]} x\u202fy").stderr


def test_a_name_that_the_terminal_cannot_show_ends_nothing(trained, invoke):
    Image.new("RGB", (8, 8)).save("\u56fe.png")
    result = CliRunner(charset="cp1252").invoke(main, ["predict", "run", "\u56fe.png"])
    assert result.exit_code == 0 and result.stdout.startswith("\\u56fe.png: ")


def test_the_width_of_a_terminal_that_is_no_number_is_no_width(invoke, monkeypatch):
    monkeypatch.setenv(processes.COLUMNS_VARIABLE, "abc")
    assert invoke(*TRAIN).exit_code == 0


def test_ctrl_c_is_no_verdict_of_doctor(invoke, monkeypatch):
    def press_ctrl_c():
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(devices, "examine", press_ctrl_c)
    assert invoke("doctor").exit_code == 130


def test_more_processes_than_mpiexec_has_started(invoke, monkeypatch):
    monkeypatch.setattr(processes, "launched_by_mpi", lambda: True)
    assert is_one_message(invoke("train", "--processes", 4), "--processes is 4, but mpiexec has started 1")


def test_images_larger_than_a_file_of_weights_may_ask_for(invoke):
    assert is_one_message(invoke("train", "--data", ".", "--image-size", 2049), "--image-size", "1<=x<=2048")


def test_a_path_with_the_name_of_an_option_keeps_it(trained, invoke, tmp_path, monkeypatch):
    assert is_one_message(invoke("train", "--resume", "run_dir"), "run_dir holds no run")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "model.safetensors").write_bytes(b"nonsense")
    assert is_one_message(invoke("evaluate", "data/model.safetensors"), "Error: data/model.safetensors is damaged")
    text = "there is no file or folder /srv/image_size/x"
    monkeypatch.setattr(tools, "load", lambda *_, **__: throw(UserError(text)))
    assert is_one_message(invoke("data"), text)


@pytest.mark.parametrize("command, told", [
    (("summary", "resnet8", "--classes", 10**12), "a smaller --image-size or --classes needs less"),
    (("bench", "resnet8", "--batch-size", 10**12), "a smaller --batch-size or --image-size needs less"),
    (("crosscheck", "--device", "cuda", "--batch-size", 10**12), "a smaller --batch-size needs less"),
])  # fmt: skip
def test_too_little_memory_is_a_message_that_names_the_options_that_need_less(invoke, gpu, command, told):
    result = invoke(*command)
    message = " ".join(result.output[result.output.index("Error: ") :].split())
    assert result.exit_code == 2 and message.startswith("Error: not enough memory (Unable to allocate ")
    assert message.endswith(told) or f"{told}; `resnet-scratch summary` says how much" in message


def test_too_little_memory_for_a_command_without_such_options(trained, invoke, monkeypatch):
    monkeypatch.setattr(tools, "evaluate", lambda *_: throw(MemoryError()))
    assert is_one_message(invoke("evaluate", "run"), "Error: not enough memory: fewer --threads need less")


def test_images_larger_than_any_network_here_is_for(invoke):
    for command in ("summary", "bench"):
        assert is_one_message(invoke(command, "resnet8", "--image-size", 2049), "--image-size", "1<=x<=2048")


def test_a_figure_goes_to_a_folder_that_is_made(trained, invoke, tmp_path):
    for command in (("compare", "run", "--out"), ("data", "--sheet")):
        assert f"Written: new/{command[0]}/x.png\n" in invoke(*command, f"new/{command[0]}/x.png").output
        assert (tmp_path / "new" / command[0] / "x.png").is_file()
    assert "Written: other/x.safetensors\n" in invoke("export", "run", "other/x.safetensors").output


def test_two_classes_of_one_name_are_refused(trained, invoke, tmp_path):
    (tmp_path / "names.txt").write_text("cat\ndog\ncat\nowl\n")
    result = invoke("import", "run/model.safetensors", "--class-names", "names.txt", "--out", "new")
    assert (
        is_one_message(result, "names.txt must have each name once, got 'cat' twice")
        and not (tmp_path / "new").exists()
    )


@pytest.mark.filterwarnings("default")
def test_a_warning_of_the_library_is_a_message(invoke, monkeypatch):
    def load(*_, **__):
        for _ in range(2):
            warnings.warn("/photos/test is used for testing, not val " * 3, stacklevel=1)
        raise UserError("that is all")

    monkeypatch.setattr(tools, "load", load)
    lines = invoke("data").stderr.splitlines()
    assert lines[0].startswith("Warning: /photos/test is used") and all(len(line) <= 80 for line in lines)
    assert lines[1].startswith("  ") and lines[-1] == "Error: that is all" and len(lines) == 3


def throw(error):
    raise error
