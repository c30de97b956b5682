"""The command that breaks a layer and shows what catches it."""

from __future__ import annotations

import click

from ..verify.mistakes import MISTAKES, catch


@click.command("break", short_help="Plant a mistake into a layer and see the gradient check catch it.")
@click.argument("mistake", required=False)
@click.pass_context
def break_command(context: click.Context, mistake: str | None) -> None:
    """Plant MISTAKE into a layer's backward, run the gradient check, and show what it says. Without MISTAKE: list all.

    \b
    resnet-scratch break
    resnet-scratch break conv-kernel-not-turned
    """
    if mistake is None:
        width = max(map(len, MISTAKES))
        for name, entry in MISTAKES.items():
            click.echo(f"{name:<{width}}  {entry.kind.__name__}: {entry.what}")
        return
    try:
        failed = catch(mistake)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    entry = MISTAKES[mistake]
    click.echo(f"planted into {entry.kind.__name__}.backward: {entry.what}.\nWhy people do it: {entry.why}.\n")
    for case, report in failed:
        click.echo(f"{case}\n{report}\n")
    click.echo(f"caught by {len(failed)} gradient checks" if failed else "NOT caught by any gradient check")
    context.exit(0 if failed else 1)
