"""What stands ready before the server is started: the workspace's Python, repository and startup script, its environment.

Promises: ``environment`` is all that the server needs of its way of starting (set up, safe, beside, only saved); what was
made anew, and what did not work, is said in the log and with the notebook, and stops no start.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import environment, interpreter, safe
from .beside import Beside, prepare_front
from .context import Context
from .initialize import Initialized, initialize
from .options import Options


class Preparing:
    """Of one session. own: the agent's environment. beside: where the server runs in an image of its own."""

    def __init__(
        self, options: Options, own: Mapping[str, str], context: Context, beside: Beside | None
    ) -> None:
        self._options, self._own, self._context, self._beside = options, own, context, beside

    def environment(self, python: interpreter.Interpreter, known: bool) -> Mapping[str, str]:
        """The environment of what is started, and everything it names. known: the workspace was there before."""
        if self._options.only_save:
            return self._only_saving()
        if self._beside is not None:
            return self._in_front(self._beside)
        return self._safely() if self._options.safe else self._set_up(python, known)

    def _safely(self) -> Mapping[str, str]:
        """Safe mode: the workspace is left as it is; what may be broken in it is said."""
        options, answer = self._options, self._context.answer
        self._context.standing.enter("initializing")
        environment.write_shell(options.run_dir, None, self._own.get("SHELL"))
        safe.prepare(options.run_dir, options.files)
        self._warn(safe.SAID, *safe.suspects(options.files, answer.environment, answer.never_saved))
        return safe.of_server(self._own, answer.environment, options.files, options.run_dir)

    def _set_up(self, python: interpreter.Interpreter, known: bool) -> Mapping[str, str]:
        """The workspace made ready to be used; the environment of its server."""
        options, context = self._options, self._context
        context.standing.enter("initializing")
        made = initialize(
            context.volume,
            context.answer.workspace,
            python,
            known=known,
            further=interpreter.further(python),
        )
        self._report(made)
        environment.write_shell(options.run_dir, made.venv, self._own.get("SHELL"))
        variables = environment.of_server(
            self._own, context.answer.environment, options.files, options.run_dir, made.venv
        )
        if context.answer.repo:
            self._bring_repository(context.answer.repo, variables)
        if context.answer.startup_script.strip():
            self._run_script(variables)
        return variables

    def _in_front(self, beside: Beside) -> Mapping[str, str]:
        """The server runs beside: its own image decides what is in its environment. Here is what stands in front."""
        options, answer = self._options, self._context.answer
        self._context.standing.enter("initializing")
        environment.write_shell(options.run_dir, None, None)
        if answer.repo:
            variables = environment.of_server(
                self._own, answer.environment, options.files, options.run_dir, None
            )
            self._bring_repository(answer.repo, variables)
        return prepare_front(options.run_dir, self._own, beside.place)

    def _only_saving(self) -> Mapping[str, str]:
        """Nobody uses the workspace: what stands in it is left as it is."""
        environment.write_shell(self._options.run_dir, None, None)
        return {name: value for name, value in self._own.items() if name != environment.TOKEN}

    def _bring_repository(self, url: str, variables: Mapping[str, str]) -> None:
        from . import repository

        warning = repository.bring(url, self._options.files, variables, self._context.log.say)
        if warning is not None:
            self._warn(warning)

    def _run_script(self, variables: Mapping[str, str]) -> None:
        from . import startup_script

        context = self._context
        warning = startup_script.run(
            context.answer.startup_script,
            variables,
            self._options.files,
            self._options.run_dir,
            context.answer.startup_script_seconds,
            context.log.write,
            context.stopped,
        )
        if warning is not None:
            self._warn(warning)

    def _report(self, made: Initialized) -> None:
        for sentence in (*made.made_anew, *made.warnings):
            self._context.log.say(sentence)
        if made.made_anew or made.warnings:
            self._context.standing.tell(made_anew=made.made_anew, warnings=made.warnings)

    def _warn(self, *sentences: str) -> None:
        for sentence in sentences:
            self._context.log.say(sentence)
        self._context.standing.tell(warnings=sentences)
