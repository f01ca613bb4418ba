"""What commands share: text that any terminal can show, and one line and the right exit code when the user or the system stops them."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

from pruning_phases.config import ConfigError
from pruning_phases.outputs import StoreError

# Sent by Slurm, containers and `kill`; and by a terminal or connection that is closed.
STOPPING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """A signal of the system that ends programs: whoever cleans up after Ctrl-C cleans up after it, too."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_code(stop: KeyboardInterrupt) -> int:
    """What a shell reports for a program ended by that signal: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


def what_happened(stop: KeyboardInterrupt) -> str:
    """The stop in words."""
    return f"stopped by the system ({stop})" if isinstance(stop, Stopped) else "interrupted"


@contextlib.contextmanager
def command() -> Iterator[None]:
    """Around the work of a command: characters that the terminal's encoding lacks are replaced, and SIGTERM and SIGHUP raise `Stopped`.

    Signals that the caller ignores (`nohup`) or handles are left to it; a second one during the cleaning up is ignored.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")

    def stop(number: int, _: object) -> NoReturn:
        for one in handled:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped(number)

    main_thread = threading.current_thread() is threading.main_thread()  # no other one may set handlers
    handled = [one for one in STOPPING if main_thread and signal.getsignal(one) == signal.SIG_DFL]
    for one in handled:
        signal.signal(one, stop)
    try:
        yield
    finally:
        for one in handled:
            signal.signal(one, signal.SIG_DFL)


def run(main: Callable[[], object]) -> NoReturn:
    """Run a program: `main` inside `command`; stopped, or refused, it ends with one line and the exit code that says so."""
    try:
        with command():
            main()
    except (ConfigError, StoreError) as error:
        raise SystemExit(f"error: {error}") from error
    except KeyboardInterrupt as stop:
        print(f"\n{what_happened(stop)}", file=sys.stderr)
        sys.exit(exit_code(stop))
    sys.exit()
