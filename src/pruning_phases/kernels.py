"""Kernels that run a notebook in this interpreter, with the same figures whatever the user's environment.

Jupyter looks for kernels in the user's home and on $JUPYTER_PATH, where an entry may name an interpreter that is gone or another one.
Matplotlib, IPython and Python follow variables and files of the user: a backend that shows nothing, a style, startup files. None of
them reaches these kernels; what says where Python finds its modules does.
"""

import math
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import matplotlib
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

from pruning_phases.paths import DRAWN

START_TIMEOUT = 300  # seconds: a first import from a network drive is slow
_FOREIGN = ("MPL", "MATPLOTLIB", "JUPYTER", "JPY_", "IPYTHON", "PYTHON", "LC_", "LANG", "PYDEVD")
_KEPT = (
    "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONSAFEPATH",
    "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE",
)  # fmt: skip
# What happens in cells is in their outputs; its log only tells of unencrypted traffic on this machine and of being interrupted at the end.
_ARGUMENTS = ["--IPKernelApp.log_level=50"]


class RunError(RuntimeError):
    """A notebook did not run to its end. `cell` counts code cells from 1; the outputs up to there are in the notebook."""

    def __init__(self, cell: int, reason: str) -> None:
        super().__init__(f"cell {cell}: {reason}")
        self.cell = cell


def kernel_environment(variables: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """`variables` without what changes figures or texts, and with what fixes them. `scratch` becomes IPython's folder, an empty one."""
    kept = {name: value for name, value in variables.items() if not name.startswith(_FOREIGN) or name in _KEPT}
    return (
        kept
        | {
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "MATPLOTLIBRC": str(Path(matplotlib.get_data_path()) / "matplotlibrc"),
            "MPLCONFIGDIR": matplotlib.get_cachedir(),  # the list of fonts, but not the user's style
            "IPYTHONDIR": str(scratch),
            "PYTHONUTF8": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger that kernels load warns of a limitation that does not matter here
        }
    )


_running: set[NotebookClient] = set()
_stopped: set[NotebookClient] = set()


def stop_all() -> None:
    """Kill the kernels of all `execute` that run in other threads: these end with KeyboardInterrupt."""
    for client in tuple(_running):
        _stopped.add(client)
        process = getattr(getattr(client.km, "provisioner", None), "process", None)
        if process is not None:
            process.kill()  # it is busy and would not listen; its worker processes end with it


class _ThisInterpreter(AsyncKernelManager):
    """Starts the kernel of the interpreter that runs this, whatever kernels are installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def execute(notebook: NotebookNode, time_limit: float | None = None) -> list[list[str]]:
    """Run every cell of a notebook, storing outputs in it; returns, for each cell, the tables (CSV) of the figures that it showed.

    time_limit: seconds for the whole notebook; None: no limit.

    Raises RunError: if a cell fails, the kernel dies or the time is over; the last output of that cell then is the error.
    """
    begun = time.monotonic()

    def seconds_left(_: object) -> int | None:
        return None if time_limit is None else max(1, math.ceil(begun + time_limit - time.monotonic()))

    with tempfile.TemporaryDirectory(prefix="pruning-phases-", ignore_cleanup_errors=True) as scratch:
        client = NotebookClient(
            notebook,
            kernel_manager_class=_ThisInterpreter,
            extra_arguments=_ARGUMENTS,
            startup_timeout=START_TIMEOUT,
            timeout_func=seconds_left,
            record_timing=False,
            raise_on_iopub_timeout=True,
        )
        client.create_kernel_manager().connection_file = str(Path(scratch) / "kernel.json")
        (tables := Path(scratch) / "drawn").mkdir()
        environment = kernel_environment(os.environ, Path(scratch) / "ipython") | {DRAWN: str(tables)}
        _running.add(client)
        try:
            return _execute_cells(client, time_limit, environment, tables)
        except Exception as error:
            if client in _stopped:
                raise KeyboardInterrupt from error
            raise
        finally:
            _running.discard(client)
            _stopped.discard(client)


def _execute_cells(
    client: NotebookClient, time_limit: float | None, environment: dict[str, str], drawn: Path
) -> list[list[str]]:
    """Run cell by cell, not by client.execute(): that takes over SIGINT and SIGTERM, which belong to our caller."""
    notebook, count, tables = client.nb, 0, []
    with client.setup_kernel(env=environment):
        for index, cell in enumerate(notebook.cells):
            count += cell.cell_type == "code"
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                raise RunError(count, f"{error.ename}: {error.evalue}") from error
            except KeyboardInterrupt:
                client.shutdown_kernel = "immediate"  # as in `stop_all`
                raise
            except CellTimeoutError as error:
                client.shutdown_kernel = "immediate"
                raise _recorded(cell, count, "TimeLimit", f"not finished within {time_limit:g} s") from error
            except DeadKernelError as error:
                said = "the kernel was killed or crashed; too little memory is the usual reason"
                raise _recorded(cell, count, "DeadKernel", said) from error
            tables.append([path.read_text(encoding="utf-8") for path in sorted(drawn.iterdir())])
            for path in drawn.iterdir():
                path.unlink()
        info = client.wait_for_reply(client.kc.kernel_info())
        notebook.metadata["language_info"] = info["content"]["language_info"]
    return tables


def _recorded(cell: NotebookNode, count: int, name: str, reason: str) -> RunError:
    cell.outputs.append(new_output("error", ename=name, evalue=reason, traceback=[f"{name}: {reason}"]))
    return RunError(count, reason)
