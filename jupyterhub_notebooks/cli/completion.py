"""``completion``: the few lines that let a shell complete our commands, options and the names of notebooks."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "jupyterhub-notebooks"
VARIABLE = "_JUPYTERHUB_NOTEBOOKS_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print what SHELL reads to complete commands: eval "$(jupyterhub-notebooks completion bash)"."""
    from .main import cli

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, PROGRAM, VARIABLE).source())
