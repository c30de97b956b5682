"""The command that breaks a layer and shows what catches it."""

from __future__ import annotations

import click

from ..table import format_table
from ..verify.mistakes import MISTAKES, failing_checks


@click.command("break", short_help="Plant a mistake into a layer and see the gradient check catch it.")
@click.argument("mistake", required=False)
@click.pass_context
def break_command(context: click.Context, mistake: str | None) -> None:
    """Plant MISTAKE into a layer's backward, run the gradient check, and show what it says. Without MISTAKE: list all.

    \b
    resnet-scratch break
    resnet-scratch break conv-kernel-not-flipped
    """
    if mistake is None:
        click.echo(format_table({"mistake": "", "what is wrong": ""}, [(name, m.what) for name, m in MISTAKES.items()]))
        return
    try:
        failed = failing_checks(mistake)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    entry = MISTAKES[mistake]
    click.echo(f"planted into {entry.kind.__name__}.backward: {entry.what}.\nWhy people do it: {entry.why}.\n")
    for case, report in failed:
        click.echo(f"{case}\n{report}\n")
    click.echo(f"caught by {len(failed)} gradient checks" if failed else "NOT caught by any gradient check")
    context.exit(0 if failed else 1)
