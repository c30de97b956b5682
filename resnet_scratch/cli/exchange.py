"""The commands that take weights from PyTorch, and give networks to other programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ..errors import UserError, printable
from ..experiment.exchange import NORMALISATIONS, Normalisation, export_model, import_model
from ..experiment.weights import LARGEST_IMAGE, WEIGHTS_FILE, load_model, save_model
from .options import File, Folder, Integer, command_line, option, weights_argument


class NormalisationType(click.ParamType):
    """A name in NORMALISATIONS, or six numbers."""

    name = "normalisation"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> Normalisation:
        if value in NORMALISATIONS:
            return NORMALISATIONS[value]
        try:
            numbers = [float(number) for number in value.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != 6 or min(numbers[3:]) <= 0:
            names = ", ".join(NORMALISATIONS)
            self.fail(f"must be {names}, or R,G,B,R,G,B: means, then deviations above 0; got {value!r}")
        return tuple(numbers[:3]), tuple(numbers[3:])


@click.command("import", short_help="Take a ResNet's weights from PyTorch.")
@click.argument("file", type=click.Path(path_type=Path))
@option("--out", type=Folder(), help="Folder to write.  [default: runs/FILE's name]")
@option("--classes", type=Integer(min=1), help="For a file without the last layer: how many outputs.")
@option(
    "--class-names",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A text file with a class's name per line.  [default: 0, 1, ...]",
)
@option(
    "--normalisation",
    type=NormalisationType(),
    metavar="NAME|R,G,B,R,G,B",
    help="As in training: cifar10, cifar100, imagenet, or three means and three standard deviations.  "
    "[default: imagenet if the first convolution is 7x7, else cifar10]",
)
@option(
    "--image-size",
    type=Integer(min=1, max=LARGEST_IMAGE),
    help="Height and width.  [default: the model's own; else 224 if the first convolution is 7x7, else 32]",
)
def import_command(
    file: Path,
    out: Path | None,
    classes: int | None,
    class_names: Path | None,
    normalisation: Normalisation | None,
    image_size: int | None,
) -> None:
    """Make a run folder from FILE, weights that PyTorch (.pth, .pt) or safetensors wrote: torchvision's ResNets and
    those of the common CIFAR repositories. `evaluate` and `predict` take the folder. A .safetensors file that
    `export` wrote knows its classes, image size and normalisation.

    \b
    resnet-scratch import resnet18-f37072fd.pth --class-names imagenet.txt
    resnet-scratch import resnet20.th --normalisation imagenet --out runs/r20
    """
    names = _read_names(class_names) if class_names else None
    if classes and names and classes != len(names):
        raise click.UsageError(f"--classes is {classes}, but {class_names} names {len(names)}")
    model, about, new_last_layer = import_model(file, names or classes, normalisation, image_size=image_size)
    out = out or Path("runs") / file.stem
    if (out / WEIGHTS_FILE).exists():
        raise UserError(f"{out / WEIGHTS_FILE} exists already: choose another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    save_model(out / WEIGHTS_FILE, model, about)
    config, parameters = model.config, sum(parameter.value.size for parameter in model.parameters())
    click.echo(
        f"{config.name}: {config.block} blocks {'-'.join(map(str, config.blocks))}, shortcuts of option "
        f"{config.shortcut}, {len(about.classes)} classes\n{parameters:,} parameters, for images of "
        f"{about.image_size[0]}x{about.image_size[1]}, normalised with\n"
        f"mean {per_channel(about.mean)}; standard deviation {per_channel(about.std)}"
    )
    if new_last_layer:
        click.echo("The file has no last layer (fc): its weights are new, drawn at random.")
    click.echo(f"Written: {out / WEIGHTS_FILE}\nTo use it:\n{command_line('predict', out, 'cat.png')}")


@click.command("export", short_help="Give a network to PyTorch or ONNX Runtime.")
@weights_argument
@click.argument("file", type=File())
def export_command(weights: Path, file: Path) -> None:
    """Write the network in WEIGHTS (a run's folder or its model.safetensors) to FILE, whose ending says how.

    .onnx is the whole network, for ONNX Runtime and the like. For PyTorch, .pth and .pt are a state dict, and
    .safetensors is the same in another form; the names are torchvision's.

    \b
    resnet-scratch export runs/resnet20 resnet20.onnx
    resnet-scratch export runs/resnet20 resnet20.pth
    """
    model, about = load_model(weights)
    file.parent.mkdir(parents=True, exist_ok=True)
    export_model(file, model, about)
    click.echo(f"Written: {file}")
    if file.suffix == ".onnx":
        H, W = about.image_size
        click.echo(
            f"It takes `images` (N, 3, {H}, {W}) float32: red, green, blue,\neach (pixel / 255 - mean) / std, with\n"
            f"mean {per_channel(about.mean)}; standard deviation {per_channel(about.std)};\n"
            f"it returns `logits` (N, {len(about.classes)}).\n"
            "These numbers and the names of the classes are in the file's metadata."
        )
    elif file.suffix == ".safetensors":
        click.echo("In PyTorch: model.load_state_dict(safetensors.torch.load_file(file))")
    else:
        click.echo("In PyTorch: model.load_state_dict(torch.load(file))")


def _read_names(path: Path) -> list[str]:
    """The names of the classes, the lines of a text file."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} must be a text file in UTF-8 ({error})") from None
    if not (names := [line.strip() for line in lines if line.strip()]):
        raise UserError(f"{path} must have a class's name per line, got none")
    if odd := [name for name in names if printable(name) != name]:
        raise UserError(f"{path} must have names without control characters, got {odd[0]!r}")
    if twice := [name for k, name in enumerate(names) if name in names[:k]]:
        raise UserError(f"{path} must have each name once, got {twice[0]!r} twice")
    return names


def per_channel(values: Iterable[float]) -> str:
    """A number for each of red, green and blue, as text."""
    return ", ".join(f"{value:.4f}" for value in values)
