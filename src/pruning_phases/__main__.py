"""The program `pruning-phases`, also ``python -m pruning_phases``: before anything else is imported, Ctrl-C ends it without a traceback."""

import _signal  # built in; `signal` itself takes its time to import
import sys

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def script() -> None:
    """Run the command line and exit with its code."""
    from pruning_phases.cli import main

    sys.exit(main())


if __name__ == "__main__":
    script()
