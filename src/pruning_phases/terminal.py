"""What commands share: text that any terminal can show, and one line and the right exit code when the user or the system stops them.

Nothing is imported here but Python's own modules, so that a command can answer signals from its first moment.
"""

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

# Ctrl-C; what Slurm, containers and `kill` send; what a terminal or connection sends that is closed.
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_loading = False


class Stopped(KeyboardInterrupt):
    """A signal that ends programs: whoever cleans up after Ctrl-C cleans up after it, too."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_code(stop: KeyboardInterrupt) -> int:
    """What a shell reports for a program ended by that signal: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


def what_happened(stop: KeyboardInterrupt) -> str:
    """The stop in words."""
    return "interrupted" if exit_code(stop) == 128 + signal.SIGINT else f"stopped by the system ({stop})"


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Around imports inside `command`: a signal ends the program at once, as there is nothing to clean up yet.

    (An exception in the middle of an import may come out as another one, or end the process: torch, numpy and pandas call Python
    while their compiled parts are set up.)
    """
    global _loading
    outer, _loading = _loading, True
    try:
        yield
    finally:
        _loading = outer


@contextlib.contextmanager
def command(said: Callable[[KeyboardInterrupt], str] = what_happened) -> Iterator[None]:
    """Around the work of a command: characters that the terminal lacks are replaced, signals that end programs raise `Stopped`.

    Signals that the caller ignores (`nohup`) or handles are left to it. During the cleaning up a second one is ignored, but for Ctrl-C.

    Args:
        said: the line to print where a signal ends the program at once (`loading`).
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    received: list[Stopped] = []

    def stop(number: int, _: object) -> NoReturn:
        received.append(Stopped(number))
        if _loading:
            os.write(2, f"\n{said(received[0])}\n".encode(errors="replace"))
            os._exit(exit_code(received[0]))
        for one in handled:
            signal.signal(one, signal.default_int_handler if one == signal.SIGINT else signal.SIG_IGN)
        raise received[0]

    ours = (signal.SIG_DFL, signal.default_int_handler)
    main_thread = threading.current_thread() is threading.main_thread()  # no other one may set handlers
    handled = {one: signal.getsignal(one) for one in STOPPING if main_thread and signal.getsignal(one) in ours}
    for one in handled:
        signal.signal(one, stop)
    try:
        yield
    except Exception as error:
        if received:  # compiled code has made another exception of it
            raise received[0] from error
        raise
    finally:
        for one, handler in handled.items():
            signal.signal(one, handler)


def run(work: Callable[[], int | None], name: str, to_go_on: str = "") -> int:
    """Exit code of a program that does `work` inside `command`; refused, failed or stopped, it says so in one line on stderr.

    0 or what `work` returns; 1 for a failure at work; 2 for bad input (ValueError); 130 for Ctrl-C, 143 for SIGTERM.

    Args:
        work: returns the exit code, or None for 0.
        name: of the program, at the head of the line.
        to_go_on: what the line says after a stop.
    """

    def said(stop: KeyboardInterrupt) -> str:
        return f"{name}: {what_happened(stop)}{to_go_on}"

    try:
        with command(said):
            return work() or 0
    except ValueError as error:  # ConfigError and whatever the library refuses
        print(f"{name}: error: {error}", file=sys.stderr)
        return 2
    except (RuntimeError, OSError) as error:  # StoreError, DataError, NotebookError
        print(f"{name}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print(f"\n{said(stop)}", file=sys.stderr)
        return exit_code(stop)


def program(main: Callable[[], int]) -> NoReturn:
    """Run `main` as a program of its own, which a signal ends without a traceback also before and after `command`."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main())
