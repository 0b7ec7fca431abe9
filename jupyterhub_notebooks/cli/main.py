"""The command line: one lazily loaded file per command group, and how every command ends.

Promises: an expected error is one line on standard error and the exit code of its class; an interrupt is
130; anything else is one line that names the file with the traceback, and 1. ``--help`` loads no command
but the one asked for.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from .. import __version__
from ..errors import BadInput, NoSpace, NotebooksError


class Entry(NamedTuple):
    """Where a command is defined and what the list of commands says about it."""

    module: str
    attribute: str
    help: str


#: Every command of ours. A new command group is a new file and a new line here.
COMMANDS: dict[str, Entry] = {
    "up": Entry(".up", "up", "Start everything on this machine, on 127.0.0.1 only."),
    "user": Entry(".user", "user", "Add, list and remove people who log in with a password."),
    "profile": Entry(".profile", "profile", "Check what may be started."),
    "notebook": Entry(".notebook", "notebook", "Make, start, stop, change and delete notebooks."),
    "snapshot": Entry(".snapshot", "snapshot", "Look into what was saved, and bring it back."),
    "session": Entry(".session", "session", "What ran, who stopped it, and why."),
    "egress": Entry(".egress", "egress", "What rules for the network refused, and files that they bind."),
    "workspace": Entry(".workspace", "workspace", "Save, restore, list and check a workspace by hand."),
    "store": Entry(".store", "store", "Check the place where workspaces are saved."),
    "key": Entry(".key", "key", "Make and change the keys of encrypted workspaces."),
    "completion": Entry(
        ".completion", "completion", "Let the shell complete commands and names of notebooks."
    ),
    "ledger": Entry(".ledger", "ledger", "Bring our database to the revision that this version needs."),
}


class LazyGroup(click.Group):
    """A group that imports a command only when it is asked for."""

    def __init__(self, *args: object, commands_by_file: dict[str, Entry], **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.entries = commands_by_file

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, entry in self.entries.items() if _exists(entry)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        entry = self.entries.get(name)
        if entry is None or not _exists(entry):
            return None
        command = getattr(importlib.import_module(entry.module, __package__), entry.attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.entries[name].help) for name in self.list_commands(ctx)])


def _exists(entry: Entry) -> bool:
    return importlib.util.find_spec(entry.module, __package__) is not None


@click.group(
    cls=LazyGroup,
    commands_by_file=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="jupyterhub-notebooks")
def cli() -> None:
    """Managed notebooks for JupyterHub."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script. Never returns."""
    sys.exit(run(cli, sys.argv[1:] if arguments is None else arguments))


def run(command: click.Command, arguments: Sequence[str], name: str = "jupyterhub-notebooks") -> int:
    """Runs a command and answers its exit status; says what went wrong on standard error."""
    try:
        result = command.main(args=list(arguments), prog_name=name, standalone_mode=False)
        _flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except click.UsageError as error:
        return _say(_typed_wrong(error, name))
    except click.ClickException as error:
        return _say(BadInput(error.format_message()))
    except NotebooksError as error:
        return _say(error)
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _say(_full(error))
        return _unexpected(error)
    except Exception as error:
        return _unexpected(error)


def _typed_wrong(error: click.UsageError, name: str) -> NotebooksError:
    where = error.ctx.command_path if error.ctx else name
    return BadInput(error.format_message().rstrip("."), next=[f"Run: {where} --help"])


def _full(error: OSError) -> NoSpace:
    return NoSpace(
        "The disk is full",
        f"{error.filename} could not be written" if error.filename else "A file could not be written",
        ["Free some space and run the command again"],
    )


def _say(error: NotebooksError) -> int:
    _flush()
    print(error.sentence(), file=sys.stderr)
    return error.exit_code


def _unexpected(error: Exception) -> int:
    _flush()
    about = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    try:
        kept = write_traceback(error)
    except OSError:
        print(f"Something unexpected happened ({about}). Its details could not be written.", file=sys.stderr)
        return 1
    print(f"Something unexpected happened ({about}). The details are in {kept}.", file=sys.stderr)
    return 1


def write_traceback(
    error: BaseException,
    folders: Sequence[Callable[[], Path]] = (),
    now: Callable[[], float] = time.time,
) -> Path:
    """Writes the traceback where only its owner reads it: the state's logs, or a temporary file."""
    text = "".join(traceback.format_exception(error))
    name = time.strftime("error-%Y%m%d-%H%M%S", time.gmtime(now()))
    for folder in (*folders, _logs):
        try:
            path = folder() / f"{name}-{os.getpid()}.log"
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)
            return path
        except OSError:
            continue
    handle, kept = tempfile.mkstemp(prefix="jupyterhub-notebooks-", suffix=".log")
    with open(handle, "w") as file:
        file.write(text)
    return Path(kept)


def _logs() -> Path:
    from .where import default_state

    return default_state() / "logs"


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()


def _drop_output() -> None:
    """Whoever read our output is gone: write the rest to nowhere, so that the exit is quiet too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


if __name__ == "__main__":
    main()
