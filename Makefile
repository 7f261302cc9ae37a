# The doors of the project. `make demo` and `make test` need Python 3.11+ and a package registry, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := cli loadtest sim platform devices results/o2o_results scenarios tests
# Worker processes of the test run; 0 runs them in one process.
JOBS ?= auto

.PHONY: help demo test check format lint types imports bench-smoke lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.run ## set up, run lunch_peak in the model and live, end with the report's path
	@$(BIN)/o2o demo

test: $(VENV)/.dev ## set up, run the tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: format lint types imports test ## format, lint, types, import rules, tests

format: $(VENV)/.dev ## is every file formatted?
	@$(BIN)/ruff format --check $(SOURCES)

lint: $(VENV)/.dev ## ruff
	@$(BIN)/ruff check $(SOURCES)

types: $(VENV)/.dev ## mypy --strict
	@$(BIN)/mypy

imports: $(VENV)/.dev ## the import rules of pyproject.toml
	@$(BIN)/lint-imports

bench-smoke: $(VENV)/.dev ## a short run of every benchmark
	@$(BIN)/o2o bench --smoke

lock: $(VENV)/.dev ## pin every dependency anew, with hashes
	@$(PIP) install --quiet pip-tools
	@$(BIN)/pip-compile --quiet $(LOCK_OPTIONS) --extra dev -o requirements.lock pyproject.toml
	@$(BIN)/pip-compile --quiet $(LOCK_OPTIONS) -c requirements.lock -o requirements-run.lock pyproject.toml

LOCK_OPTIONS := --generate-hashes --build-deps-for editable --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --strip-extras --no-header --no-annotate --allow-unsafe

clean: ## remove the environment and the caches, keep the runs
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("o2o: Python 3.11 or newer is needed, not %d.%d" % sys.version_info[:2]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

# What the commands need.
$(VENV)/.run: requirements-run.lock pyproject.toml | $(VENV)/bin/python
	@echo "setting up $(VENV)"
	@$(PIP) install --quiet --require-hashes -r requirements-run.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# What the tests and checks need besides.
$(VENV)/.dev: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "setting up $(VENV) with what tests and checks need"
	@$(PIP) install --quiet --require-hashes -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run
