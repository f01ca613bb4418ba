"""pyproject.toml, requirements.lock, environment.yml, Makefile: they agree, also with what is installed."""

import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import pruning_phases

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"},
}


def lock_lines() -> list[str]:
    lines = (line.strip() for line in (ROOT / "requirements.lock").read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def locked(python: str, platform: str) -> dict[str, str]:
    """Name → version of the packages that the lock installs there."""
    environment = {"python_version": python, "python_full_version": f"{python}.1", "extra": "", **PLATFORMS[platform]}
    environment |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    chosen = [Requirement(line) for line in lock_lines()]
    chosen = [r for r in chosen if r.marker is None or r.marker.evaluate(environment)]
    names = [canonicalize_name(r.name) for r in chosen]
    assert len(names) == len(set(names)), "a package is pinned twice"
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in chosen}


def wanted() -> list[Requirement]:
    """Everything pyproject.toml asks for: the package, all extras, the build."""
    project = PYPROJECT["project"]
    extras = itertools.chain.from_iterable(project["optional-dependencies"].values())
    return [Requirement(text) for text in (*project["dependencies"], *extras, *PYPROJECT["build-system"]["requires"])]


def test_every_line_of_the_lock_is_an_exact_pin():
    for line in lock_lines():
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*==[0-9][^\s;*]*( ; .+)?", line), line


def test_lock_is_sorted():
    names = [re.split("==", line)[0] for line in lock_lines()]
    assert names == sorted(names)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_lock_satisfies_pyproject(python, platform):
    pins = locked(python, platform)
    for requirement in wanted():
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is in pyproject.toml but not in requirements.lock: run `make lock`"
        assert requirement.specifier.contains(pins[name]), f"the lock pins {name}=={pins[name]}, wanted: {requirement}"


def test_lock_pins_the_pair_of_torch_and_torchvision_that_imports_without_a_gpu():
    # torchvision from PyPI fails to import beside a torch of another build; this pair was tried.
    assert {name: locked("3.11", "linux")[name] for name in ("torch", "torchvision")} == {
        "torch": "2.14.1",
        "torchvision": "0.29.1",
    }


def test_cuda_packages_are_pinned_for_linux_alone():
    cuda = re.compile("(cuda-|nvidia-|triton$)")
    assert any(cuda.match(name) for name in locked("3.12", "linux"))
    assert not any(cuda.match(name) for name in locked("3.12", "macos"))


def test_lock_is_complete_for_what_is_installed():
    """Whatever the package needs here, directly or through others, is pinned, at the version installed."""
    pending = [str(r.name) for r in wanted()]
    pins = {canonicalize_name(Requirement(line).name): Requirement(line) for line in lock_lines()}
    seen: set[str] = set()
    while pending:
        name = canonicalize_name(pending.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # e.g. CUDA packages beside the CPU-only torch; `pip check` in `make env` sees real gaps
        assert name in pins, f"{name} is installed and needed but not in requirements.lock"
        assert pins[name].specifier.contains(distribution.version), (
            f"{name} {distribution.version} is not the pinned one"
        )
        needs = [Requirement(text) for text in distribution.requires or []]
        pending += [r.name for r in needs if r.marker is None or r.marker.evaluate({"extra": ""})]
    assert {"torch", "jupyter-book", "markupsafe"} <= seen


def test_environment_yml_gives_conda_users_the_same_packages():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == PYPROJECT["project"]["name"]
    *conda, pip = environment["dependencies"]
    # Nothing but Python and tools from conda: a package from conda could differ from the pin.
    python, *tools = conda
    assert tools == ["pip", "make"]
    assert pip == {"pip": ["-r requirements.lock", "-e ."]}
    allowed = SpecifierSet(python.removeprefix("python"))
    assert [v for v in ("3.10", *PYTHONS, "3.14") if v in allowed] == list(PYTHONS)


def test_supported_pythons_are_stated_everywhere_alike():
    project = PYPROJECT["project"]
    classifiers = [c.rpartition(":: ")[2] for c in project["classifiers"] if "Python :: 3." in c]
    assert tuple(classifiers) == PYTHONS
    assert project["requires-python"] == f">={PYTHONS[0]}"
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert tuple(workflow["jobs"]["test"]["strategy"]["matrix"]["python"]) == PYTHONS
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py" + PYTHONS[0].replace(".", "")


def test_pre_commit_uses_the_pinned_tools():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    revisions = {repo["repo"].rpartition("/")[2]: repo.get("rev", "").removeprefix("v") for repo in config["repos"]}
    pins = locked("3.11", "linux")
    assert revisions["ruff-pre-commit"] == pins["ruff"]
    assert revisions["nbstripout"] == pins["nbstripout"]


def test_version_is_the_same_everywhere():
    version = PYPROJECT["project"]["version"]
    assert metadata.version("pruning-phases") == pruning_phases.__version__ == version
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def make(*arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "TORCH_INDEX_URL"))}
    process = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return process.stdout


def test_make_help_lists_every_target_and_setting():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE).group(1).split()
    shown = make("help")
    listed = re.findall(r"^  ([a-z-]+) +\S", shown, re.MULTILINE)
    assert sorted(listed) == sorted(phony)
    settings = set(re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE))
    assert {"PYTHON", "TORCH_INDEX_URL"} <= settings
    assert settings <= set(re.findall(r"^  ([A-Z_]+) ", shown, re.MULTILINE))


STUB = """\
#!/bin/sh
case "$*" in "-m venv .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python;; esac
echo "$0 $*" >> commands.txt
env > environment.txt
"""


@pytest.fixture
def copy(tmp_path) -> Path:
    """The Makefile in a folder of its own, with a stand-in for an interpreter whose path has a blank."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    stub = tmp_path / "a b" / "python"
    stub.parent.mkdir()
    stub.write_text(STUB)
    stub.chmod(0o755)
    return tmp_path


def make_env(copy: Path, python: str | Path, **variables: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "PIP_"))} | variables
    return subprocess.run(
        ["make", "env", "TORCH_INDEX_URL=", f"PYTHON={python}"],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_settings_for_other_programs_do_not_reach_the_installation(copy):
    foreign = {
        "PIP_USER": "1",
        "PIP_TARGET": "x",
        "PIP_NO_BINARY": ":all:",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_PREFIX": "x",
    }
    foreign |= {
        "PYTHONHOME": "x",
        "PYTHONPATH": "x",
        "PYTHONSTARTUP": "x",
        "PYTHONWARNINGS": "error",
        "PYTHONIOENCODING": "ascii",
    }
    foreign |= {
        "MPLBACKEND": "agg",
        "MATPLOTLIBRC": "x",
        "JUPYTER_PATH": "x",
        "IPYTHONDIR": "x",
        "JUPYTER_PREFER_ENV_PATH": "0",
    }
    kept = {
        "PIP_INDEX_URL": "https://example.org/simple",
        "PIP_CERT": "x",
        "PIP_CACHE_DIR": "x",
        "PRUNING_PHASES_DATA": "x",
    }
    done = make_env(copy, copy / "a b" / "python", **foreign, **kept)
    assert done.returncode == 0, done.stderr
    seen = dict(line.partition("=")[::2] for line in (copy / "environment.txt").read_text().splitlines())
    assert kept.items() <= seen.items()
    assert foreign.keys() & seen.keys() == {"JUPYTER_PREFER_ENV_PATH"}
    assert (seen["JUPYTER_PREFER_ENV_PATH"], seen["PYTHONUTF8"]) == ("1", "1")
    commands = (copy / "commands.txt").read_text()
    assert f"{copy}/a b/python -m venv .venv" in commands, "a blank in the path"
    installs = [line for line in commands.splitlines() if " pip " in line and " install " in line]
    assert len(installs) == 3
    assert all("--no-user" in line for line in installs), "also where a pip.conf says user = true"


def test_home_folder_in_the_name_of_the_interpreter(copy):
    assert make_env(copy, "~/a b/python", HOME=str(copy)).returncode == 0
    assert f"{copy}/a b/python -m venv .venv" in (copy / "commands.txt").read_text()


@pytest.mark.parametrize("python", ["/no such/python", "false"])
def test_an_interpreter_that_cannot_be_used_is_one_clear_error(copy, python):
    done = make_env(copy, python)
    assert done.returncode != 0
    assert f"error: '{python}' cannot be used" in done.stderr
    assert "make env PYTHON=/path/to/python" in done.stderr
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize(
    ("platform", "machine", "version", "said"),
    [
        ("linux", "x86_64", (3, 11), None),
        ("linux", "aarch64", (3, 13), None),
        ("darwin", "arm64", (3, 12), None),
        ("darwin", "x86_64", (3, 12), "no builds for Intel Macs"),
        ("linux", "x86_64", (3, 10), "is too old: 3.11 or newer is needed"),
    ],
)
def test_what_is_said_of_an_interpreter(platform, machine, version, said):
    check = re.search(
        r"-c '(import platform.*?)'", make("-n", "-W", "requirements.lock", "env", "PYTHON=python3")
    ).group(1)
    given = f"import platform, sys; sys.platform = {platform!r}; sys.version_info = {version}; platform.machine = lambda: {machine!r}; "
    done = subprocess.run([sys.executable, "-c", given + check], capture_output=True, text=True)
    assert (done.returncode == 0) == (said is None)
    assert (said or "") in done.stderr
    readme = (ROOT / "README.md").read_text()
    assert "Apple silicon" in readme, "the platforms are stated"
    assert "Intel Macs" in readme


def test_cpu_only_wheels_leave_out_the_cuda_packages():
    commands = make("-n", "-W", "requirements.lock", "env", "TORCH_INDEX_URL=https://example.org/cpu")
    assert "--index-url https://example.org/cpu -r .venv/torch.txt" in commands
    pattern = re.search(r"grep -Ev '(.*)' requirements.lock > .venv/rest.txt", commands).group(1)
    kept = [line.partition("==")[0] for line in lock_lines() if not re.search(pattern, line)]
    assert {"numpy", "sympy", "jupyter-book"} <= set(kept)
    assert not [name for name in kept if name.startswith(("nvidia", "cuda", "triton", "torch"))]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, unpacked: what `pip install` would put beside other packages."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("src", "book/_ext"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "dist", "."]
    subprocess.run(command, cwd=folder, check=True)
    shutil.unpack_archive(next((folder / "dist").glob("*.whl")), folder / "site", "zip")
    return folder / "site"


def test_the_wheel_has_the_library_and_what_notebooks_need_of_the_book(wheel):
    packages = {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert packages == {"pruning_phases", "pruning_phases_book"}
    for package, source in (("pruning_phases", ROOT / "src"), ("pruning_phases_book", ROOT / "book" / "_ext")):
        files = {path.relative_to(source) for path in (source / package).rglob("*.py")}
        assert files == {path.relative_to(wheel) for path in (wheel / package).rglob("*.py")}


def test_library_and_command_line_work_without_the_book(wheel, tmp_path):
    shutil.copytree(wheel / "pruning_phases", tmp_path / "pruning_phases")
    script = """if True:
        import importlib, pkgutil, sys
        sys.modules["pruning_phases_book"] = None  # importing it is an error
        import pruning_phases
        assert pruning_phases.__file__.startswith(sys.argv[1]), pruning_phases.__file__
        for module in pkgutil.walk_packages(pruning_phases.__path__, "pruning_phases."):
            importlib.import_module(module.name)
        from pruning_phases.cli import main
        sys.exit(main(["status", "--preset=smoke", "--store=none"]))
    """
    command = [sys.executable, "-c", script, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "0 of 18 networks" in done.stdout
