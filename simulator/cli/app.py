"""The frame of the command line: which verbs there are, and how every error ends.

To add a verb, write ``simulator/cli/<verb>.py`` and one line in :data:`VERBS`. The module exposes either

- ``command``: a function with typer annotations (its docstring is the help; it may return an exit code), or
- ``app``: a ``typer.Typer`` that holds sub-verbs, as in ``rackcast hw list``.

It is imported only when its verb is called; whatever is slow to import (pandas, matplotlib, scipy, networkx) still
belongs inside its functions. Shared options are in :mod:`simulator.cli.options`; everything is printed through
:mod:`simulator.cli.output`. Errors are raised, never printed: :func:`main` turns them into one line and an exit code.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from simulator import __version__
from simulator.cli import output
from simulator.foundation.errors import Infeasible, InputError, RackcastError, UnknownName

#: verb -> its line in ``rackcast --help``; a verb whose module is not there is not listed
VERBS: Final[dict[str, str]] = {
    "init": "Write a commented scenario file to start from.",
    "check": "Check scenario and profile files: keys, units, counts, references.",
    "run": "Simulate the scenario as it is decided and show what happens.",
    "bench-serve": "Serve a scenario's requests at many rates and find the knee.",
    "plan": "Recommend layout, batch sizes and machines for the scenario.",
    "fit": "Say whether a model fits a device or node, and what eats the memory.",
    "sweep": "Run the scenario over many values of its keys.",
    "whatif": "Change one thing (a slow node, another device) and show the difference.",
    "compare": "Hold results against each other.",
    "launch": "Write the files that start a decision on real software.",
    "explain": "Say where the time goes and what would help.",
    "diff": "Show what changed between two decisions.",
    "shard": "Cut a data set into shards and show what the largest one costs.",
    "comm": "Time collectives on a cluster, by size and algorithm.",
    "calibrate": "Fit the constants of a link class to your own nccl-tests log.",
    "hw": "List, show, compare and lint hardware profiles.",
    "model": "List, show and import model architectures.",
    "topo": "Show the wiring: tiers, bisection, paths.",
    "validate": "Hold predictions against published measurements.",
    "schema": "Print or write the JSON Schemas for editors.",
    "doctor": "Say which versions, extras and data are found, and check them.",
}

INTERRUPTED: Final = 130

_UsageError: Any = typer.BadParameter.__mro__[2]  # click's ClickException, wherever typer keeps click
assert _UsageError.__name__ == "ClickException"

_GLOBAL_FLAGS: Final = frozenset({"--traceback", "--no-color", "-q", "--quiet", "-v", "--verbose"})


class VerbGroup(TyperGroup):
    """Verbs as a table: help reads the table, and only a called verb is imported."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs whose modules exist, in the order of the table."""
        return [verb for verb in VERBS if _module_exists(verb)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a stand-in that carries name and help; :meth:`resolve_command` returns the verb itself."""
        if cmd_name not in VERBS or not _module_exists(cmd_name):
            return None
        return TyperCommand(name=cmd_name, help=VERBS[cmd_name], short_help=VERBS[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name, the imported verb and the arguments left."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise UnknownName("command", args[0], self.list_commands(ctx))
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, (load_verb(name) if stand_in and name else stand_in), rest


def _module(verb: str) -> str:
    return verb.replace("-", "_")


def _module_exists(verb: str) -> bool:
    return importlib.util.find_spec(f"simulator.cli.{_module(verb)}") is not None


def load_verb(verb: str) -> Any:
    """Import a verb's module and return its click command."""
    module = importlib.import_module(f"simulator.cli.{_module(verb)}")
    group = getattr(module, "app", None)
    if group is None:
        group = typer.Typer(add_completion=False, rich_markup_mode=None)
        group.command(name=verb)(module.command)
    command = typer.main.get_command(group)
    command.name = verb
    return command


app = typer.Typer(
    name="rackcast",
    cls=VerbGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="exit codes: 0 done, 2 your input needs mending, 3 nothing fits, 4 SLO missed, 5 decision changed, "
    "6 accuracy budget exceeded, 130 interrupted, 1 our fault",
)


def _print_version(asked: bool) -> None:
    if asked:
        output.line(f"rackcast {__version__}")
        raise typer.Exit


def _flag(*names: str, help: str, **more: Any) -> Any:  # noqa: A002  (typer's word)
    return typer.Option(*names, help=help, show_default=False, **more)


@app.callback()
def rackcast(
    version: Annotated[bool, _flag("--version", callback=_print_version, is_eager=True, help="The version.")] = False,
    traceback: Annotated[bool, _flag("--traceback", help="For developers: show where an error was raised.")] = False,
    no_color: Annotated[bool, _flag("--no-color", help="Plain text; so does the variable NO_COLOR.")] = False,
    quiet: Annotated[bool, _flag("-q", "--quiet", help="No talk and no progress bars on stderr.")] = False,
    verbose: Annotated[int, _flag("-v", "--verbose", count=True, help="More talk on stderr.")] = 0,
) -> None:
    """Predict what a cluster will do with a workload, and plan what it should do instead."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; stdout gets data, stderr one line per error."""
    given = _global_flags_first(list(sys.argv[1:] if arguments is None else arguments))
    with output.settings(_settings_of(given)):
        try:
            returned = app(args=given, prog_name="rackcast", standalone_mode=False)
            sys.stdout.flush()
        except (RackcastError, _UsageError, typer.Abort, KeyboardInterrupt) as error:
            if "--traceback" in given:
                raise
            return _report(error, as_json="--json" in given)
        except BrokenPipeError:  # the reader (head, less) has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
    code = returned if isinstance(returned, int) and not isinstance(returned, bool) else 0
    if code == INTERRUPTED:  # typer's own answer to an interrupt
        output.error("interrupted")
    return code


def _global_flags_first(arguments: list[str]) -> list[str]:
    """Let ``rackcast check x.yaml --traceback`` mean ``rackcast --traceback check x.yaml``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    flags = [argument for argument in arguments[:end] if argument in _GLOBAL_FLAGS]
    return flags + [argument for argument in arguments[:end] if argument not in _GLOBAL_FLAGS] + arguments[end:]


def _settings_of(arguments: list[str]) -> output.Settings:
    quiet = "-q" in arguments or "--quiet" in arguments
    plain = "--no-color" in arguments or bool(os.environ.get("NO_COLOR"))
    return output.Settings(color=not plain, quiet=quiet, verbose=sum(a in ("-v", "--verbose") for a in arguments))


def _report(error: BaseException, *, as_json: bool) -> int:
    """Say on stderr what went wrong, on stdout too if JSON was asked for, and return the exit code."""
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        output.error("interrupted")
        return INTERRUPTED
    if not isinstance(error, RackcastError):
        usage: Any = error
        if type(error).__name__ == "NoArgsIsHelpError":  # a verb group without a verb: its help is the answer
            output.note(usage.format_message())
            return InputError.exit_code
        output.error(usage.format_message().replace("\n", " "))
        return InputError.exit_code
    relaxation = error.relaxation if isinstance(error, Infeasible) else ""
    output.error(f"{error} Smallest relaxation: {relaxation}." if relaxation else str(error))
    facts: dict[str, Any] = {"error": str(error)}
    if isinstance(error, Infeasible):
        facts |= {"binding": error.binding, "account": error.account, "relaxation": error.relaxation}
    if as_json:
        output.json_document(facts, status=output.STATUS[error.exit_code])
    return error.exit_code
