"""The command that breaks a layer and shows what catches it."""

from __future__ import annotations

import click

from ..table import format_table, wrap
from ..verify.mistakes import MISTAKES, failing_checks
from .options import Name


@click.command("break", short_help="Plant a mistake; the gradient check catches it.")
@click.argument("mistake", type=Name("mistake", MISTAKES), required=False)
@click.pass_context
def break_command(context: click.Context, mistake: str | None) -> None:
    """Plant MISTAKE in a layer's backward, run the gradient check, and show what it says. Without MISTAKE: list all.

    \b
    resnet-scratch break
    resnet-scratch break conv-kernel-not-flipped
    """
    if mistake is None:
        click.echo(format_table({"mistake": "", "what is wrong": ""}, [(name, m.what) for name, m in MISTAKES.items()]))
        return
    failed, entry = failing_checks(mistake), MISTAKES[mistake]
    click.echo(wrap(f"planted in {entry.kind.__name__}.backward: {entry.what}."))
    click.echo(wrap(f"Why people do it: {entry.why}.") + "\n")
    for case, report in failed:
        click.echo(f"{case}\n{report}\n")
    click.echo(f"caught by {len(failed)} gradient checks" if failed else "NOT caught by any gradient check")
    context.exit(0 if failed else 1)
