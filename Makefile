# The whole developer interface. Needs Python >= 3.11 and make; everything else is installed into .venv from exact pins.
# Platforms: Linux, and macOS on Apple silicon (Windows: in WSL). PyTorch has no builds for Intel Macs any more.

# Settings, on the command line or in the environment:
#   PYTHON           the interpreter .venv is made with (default: the first of python3, python3.13, 3.12, 3.11 that is >= 3.11)
#   TORCH_INDEX_URL  package index to take torch and torchvision from instead of PyPI; for CPU-only wheels:
#                    make env TORCH_INDEX_URL=ADDRESS (PyTorch's installation page names the index of its CPU builds)
#                    (remembered in .venv; TORCH_INDEX_URL= goes back to PyPI)
#   PRESET           the sweep that `make reference` computes (default reference)
#   DEVICE           what `make bench` measures: cpu (default) or cuda
#   WORKERS          test processes, and notebooks that run at once (default 2)
#   BROWSER_PATH     Chromium or Chrome for `make pdf` and the browser tests (default: the system's, or Playwright's)
#   PRUNING_PHASES_DATA   folder for the unpacked MNIST files (default: data)
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
override PYTHON := $(PYTHON:~/%=$(HOME)/%)
# Says what is wrong with an interpreter; also a very old one can read it.
IS_SUPPORTED := import platform, sys; \
	intel = sys.platform == "darwin" and platform.machine() == "x86_64"; \
	sys.exit("Python %s is too old: 3.11 or newer is needed" % platform.python_version() if sys.version_info < (3, 11) \
	else "PyTorch has no builds for Intel Macs, nor for a Python made for them" if intel else 0)
WORKERS ?= 2
DEVICE ?= cpu
PRESET ?= reference

# Fields of the protocol "large_batch" (config.PROTOCOLS)
LARGE_BATCH := --learning-rate 0.003 --batch-size 512
# Networks of page 05 and where they are evaluated
PASSES := --n-train 1000,2000,4000,8000,16000,32000 --p-train 0.1,0.2,0.4 --realizations 16 --p-eval 0.1,0.3,0.5,0.7,0.9 --passes 200

VENV := .venv
INSTALLED_FROM := $(shell cat $(VENV)/torch-index-url 2>/dev/null)
TORCH_INDEX_URL ?= $(INSTALLED_FROM)
BIN := $(VENV)/bin
# The stamp's name carries the choice of wheels, so that changing it installs again.
STAMP := $(VENV)/installed$(if $(TORCH_INDEX_URL),-$(subst /,_,$(subst :,,$(TORCH_INDEX_URL))))
PYTEST := $(BIN)/python -m pytest -q
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Nothing may need a compiler: wheels only. --no-deps: the lock is complete, `pip check` proves it.
# --no-user: a pip.conf may ask for the user's own folder, which no environment can install to.
INSTALL := $(PIP) install --quiet --no-user --no-deps --only-binary=:all:
# The few large packages are installed beside the many small ones. CUDA_ONLY: what only the CUDA build of torch needs.
TORCH := ^(torch|torchvision)==
CUDA_ONLY := ^(cuda-|nvidia-|triton==)

# Quiet, and without waiting for ever where there is no network.
APT := apt-get -qq -y -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20

# What the user has set for other programs shall not reach ours: where pip installs to, which backend and style figures have, what
# Python loads and prints. Where packages come from and what caches there are stays as it is.
KEPT := PYTHON PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_NO_INDEX PIP_FIND_LINKS PIP_CERT PIP_CLIENT_CERT PIP_PROXY PIP_TRUSTED_HOST \
	PIP_TIMEOUT PIP_DEFAULT_TIMEOUT PIP_RETRIES PIP_CACHE_DIR PIP_NO_CACHE_DIR PIP_CONFIG_FILE PIP_KEYRING_PROVIDER PIP_USE_FEATURE \
	PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX PYTHONUNBUFFERED MPLCONFIGDIR
unexport $(filter-out $(KEPT),$(filter PIP_% PYTHON% MPL% MATPLOTLIB% JUPYTER% IPYTHON%,$(.VARIABLES)))
export PYTHONUTF8 := 1

# Notebooks are run with the kernel of .venv, never with one the user has installed elsewhere.
export JUPYTER_PREFER_ENV_PATH := 1
# Python's debugger, which every kernel loads, warns of a limitation that does not matter here.
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.DEFAULT_GOAL := help
.PHONY: help env data test quick unit slow nbval book html pdf browser outputs reference large-batch passes method-check sensitivity atlas magnitude weight-decay theory endless precision bench bench-curves lint format lock clean

help: ## list the targets and settings
	@echo "Targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Settings (make <target> NAME=value):"
	@awk '/^#   / {print substr($$0, 3)}' $(MAKEFILE_LIST)

env: $(STAMP) ## create .venv with the exact versions of requirements.lock (does nothing when it is up to date)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python >= 3.11 found; install one or name it: make env PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -c '$(IS_SUPPORTED)' || { echo "error: '$(PYTHON)' cannot be used (see above, or there is no such program);" \
	  "name another one: make env PYTHON=/path/to/python" >&2; exit 1; }
	@rm -f $(VENV)/installed*
	@test "$(INSTALLED_FROM)" = "$(TORCH_INDEX_URL)" || rm -rf $(VENV)  # pip would keep the other build of the same version
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "error: '$(PYTHON) -m venv' failed; on Debian and Ubuntu install python3-venv, or name another interpreter with PYTHON=" >&2; exit 1; }
	@echo "installing the packages of requirements.lock into $(VENV) (a few minutes the first time) ..."
	@grep -E '$(TORCH)$(if $(TORCH_INDEX_URL),,|$(CUDA_ONLY))' requirements.lock > $(VENV)/torch.txt
	@grep -Ev '$(TORCH)|$(CUDA_ONLY)' requirements.lock > $(VENV)/rest.txt
	$(INSTALL) -r $(VENV)/rest.txt & rest=$$!; trap "kill $$rest" INT TERM; \
	  $(INSTALL) $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL) )-r $(VENV)/torch.txt; torch=$$?; \
	  wait $$rest && exit $$torch
	$(PIP) install --quiet --no-user --no-deps --no-build-isolation --editable .
	$(PIP) check
	@echo "$(TORCH_INDEX_URL)" > $(VENV)/torch-index-url
	@touch $@

data: env ## unpack MNIST from data/mnist (or download it) and check it
	@$(BIN)/pruning-phases data

test: env data ## everything: the book, its notebooks against their stored outputs, unit tests, tests of the built book
	@$(MAKE) --no-print-directory book
	OMP_NUM_THREADS=1 $(PYTEST) -n $(WORKERS) --dist worksteal tests
	OMP_NUM_THREADS=1 $(PYTEST) -n $(WORKERS) --dist worksteal -m book tests  # apart: Playwright runs once in a process

quick: lint ## for the daily loop: lint, and the tests that take less than about a second
	OMP_NUM_THREADS=1 $(PYTEST) -n $(WORKERS) --dist worksteal -m 'not book and not slow' tests

unit: env ## unit tests, among them notebooks run with changed parameters
	OMP_NUM_THREADS=1 $(PYTEST) -n $(WORKERS) --dist worksteal tests

slow: env data ## measure all unit tests, one after another, and list those that `make quick` leaves out in tests/slow.txt
	OMP_NUM_THREADS=1 $(PYTEST) --write-slow tests

nbval: env ## execute every notebook by nbval and compare with its stored outputs (`make test` compares those of the book)
	@$(BIN)/python -c 'import matplotlib.font_manager' 2> /dev/null  # makes its list of fonts, which it would tell in a notebook
	$(PYTEST) -n $(WORKERS) --dist loadfile --nbval --nbval-current-env --nbval-sanitize-with tests/nbval.cfg notebooks

book: data ## execute every notebook, build the book (warnings are errors), print the path of its front page
	@rm -rf book/sections
	OMP_NUM_THREADS=1 $(BIN)/pruning-phases notebooks --workers $(WORKERS)
	@$(MAKE) --no-print-directory html

html: env ## build the book from the notebooks as they were last executed (`make book` executes all of them first)
	@rm -rf _build/html && mkdir -p _build
	$(BIN)/python -m pruning_phases_book pages
	$(BIN)/jupyter-book build -W -n --keep-going --all -q book/ > _build/log.txt 2>&1 || { cat _build/log.txt; exit 1; }
	@echo "The book is ready: $(CURDIR)/_build/html/index.html"

pdf: env ## print the book as executed and built by `make book` to _build/pruning-phases.pdf (needs a Chromium: `make browser`)
	@$(BIN)/python -m pruning_phases_book pdf

browser: env ## find a Chromium for `make pdf` and the browser tests, or install one (as root with apt-get, else Playwright's)
	@$(BIN)/python -m pruning_phases_book browser || { \
	  { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && $(APT) update && $(APT) install --no-install-recommends chromium; } \
	  || $(BIN)/playwright install chromium; $(BIN)/python -m pruning_phases_book browser; }

outputs: data ## execute every notebook and store its outputs in it (look at the difference before committing)
	OMP_NUM_THREADS=1 $(BIN)/pruning-phases notebooks --in-place --workers $(WORKERS)
	$(BIN)/python -m pruning_phases_book drawings book/assets

reference: data ## compute data/reference.parquet again (PRESET=reference: hours on 2 cores; goes on where it was stopped; an earlier file is renamed)
	$(BIN)/pruning-phases sweep --preset $(PRESET) --store store/$(PRESET)
	$(BIN)/pruning-phases compact --preset $(PRESET) --store store/$(PRESET) --output data/reference.parquet --replace

large-batch: data ## compute data/large_batch.parquet: the collapse lines with the protocol closest to the paper (an hour on 2 cores)
	$(BIN)/pruning-phases sweep --preset lines $(LARGE_BATCH) --store store/large_batch
	$(BIN)/pruning-phases compact --preset lines $(LARGE_BATCH) --store store/large_batch --output data/large_batch.parquet --replace

passes: data ## compute data/passes.parquet: 200 evaluation passes of each of 288 networks (two hours on one core; goes on where it was stopped)
	$(BIN)/pruning-phases sweep --preset laptop $(PASSES) --keep-weights --store store/passes
	$(BIN)/pruning-phases compact --preset laptop $(PASSES) --store store/passes --output data/passes.parquet --replace

method-check: env ## compute again how well the collapse recovers known truth (about an hour on one core)
	$(BIN)/pruning-phases method-check systems coverage

sensitivity: data ## train again what shows how much our choices matter (most of an hour on 2 cores; goes on where it was stopped)
	$(BIN)/pruning-phases sensitivity

atlas: data ## train again the protocols of the atlas (hours on 2 cores; goes on where it was stopped)
	$(BIN)/pruning-phases atlas

magnitude: data ## compute again the networks pruned by magnitude (two or three hours of one core; goes on where it was stopped; needs Fashion-MNIST)
	$(BIN)/python -m pruning_phases.claims.studies.magnitude
	$(BIN)/python -m pruning_phases.claims.studies.magnitude.closeup

weight-decay: data ## compute again the networks under an L2 penalty (about an hour on one core; goes on where it was stopped; needs Fashion-MNIST)
	$(BIN)/python -m pruning_phases.claims.studies.weight_decay

theory: data ## measure again why more data hurt (about an hour on one core; goes on where it was stopped)
	$(BIN)/python -m pruning_phases.claims.studies.theory

precision: data ## train again what shows whether products in bfloat16 matter (half an hour on one core; goes on where it was stopped)
	$(BIN)/python -m pruning_phases.claims.studies.precision

endless: data ## compute again deformed MNIST, Fashion-MNIST and the epochs (hours on one core; goes on where it was stopped; needs Fashion-MNIST)
	$(BIN)/python -m pruning_phases.claims.studies.endless

bench: data ## time training (written to build/bench.json) and analysis beside what a user would write instead
	$(INSTALL) -r tests/benchmarks/requirements.txt
	$(BIN)/python tests/benchmarks/bench_training.py --device $(DEVICE)
	$(PYTEST) -m 'not book' tests/benchmarks -s

bench-curves: data ## add to build/bench.json how the speed depends on the number of networks, width, depth and size
	$(BIN)/python tests/benchmarks/bench_training.py --device $(DEVICE) --curves

lint: env ## ruff: lint and format check of code and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: env ## ruff: format and sort imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## resolve pyproject.toml again and rewrite requirements.lock
	"$(PYTHON)" -m venv build/lock && build/lock/bin/python -m pip install --quiet --no-user 'uv>=0.9'
	sed -n '/^#/p' requirements.lock > build/lock/new.txt
	build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --upgrade --all-extras \
	  --no-header --no-annotate pyproject.toml >> build/lock/new.txt
	mv build/lock/new.txt requirements.lock

clean: ## remove what was built (keeps .venv, the data and stored results)
	rm -rf _build build book/sections .pytest_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
