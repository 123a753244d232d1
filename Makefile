# SPDX-License-Identifier: Apache-2.0
# `make demo` and `make test` work from a clean clone; `make help` lists all targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOCK := .ci/requirements-dev.lock
PYTEST := $(BIN)/python -m pytest
# Four processes on two processors, because some wait for an Airflow. Tests of a group share an Airflow and a process.
SPREAD := -n 4 --dist loadgroup
ARGS ?=
VERSION ?=
# Each process of the tests would compile their files again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all coverage nightly lint types unit system screenshots docs serve-docs matrix fleet dist audit release benchmark mutants format lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Create the environment in .venv from the committed lock

$(VENV)/.installed: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or later is needed; $(PYTHON) is not, or is missing. Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv module is missing. On Debian: apt-get install python3-venv (needs root)."; exit 1; }
	@echo "Setting up $(VENV) (about half a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/--hash/p}' $(LOCK) > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $(VENV)/uv.txt
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes $(LOCK)
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

demo: setup ## Run a governed night: emulator, real Airflow, nightly DAG (ARGS=--once exits afterwards, ARGS=--approve waits for you)
	@exec $(BIN)/python -m tests.demo $(ARGS)

test: lint types ## Lint, types, and all tests except the slowest, some in a real Airflow (about 15 minutes)
	$(PYTEST) -m "not slow" $(SPREAD) $(ARGS)

test-all: lint types ## Everything in `make test`, the slowest tests, every example of a property (about 27 minutes)
	$(PYTEST) -m "not nightly" $(SPREAD) --hypothesis-profile=full $(ARGS)

coverage: setup ## Run all tests and list the lines that none of them runs (half an hour)
	$(PYTEST) -m "not nightly" $(SPREAD) --hypothesis-profile=full --cov --cov-report=term $(ARGS)

nightly: setup ## Try every setting of each quirk, and 2,000 random sequences under contrary services (an hour or more)
	$(PYTEST) tests/contrary -n 2 --hypothesis-profile=nightly $(ARGS)

lint: setup ## Check style, formatting, spelling, imports between modules, declared dependencies, workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/deptry airflow_provider_studio
	$(BIN)/zizmor --offline --quiet .github

types: setup ## Run mypy --strict on the package
	$(BIN)/mypy

unit: setup ## Run the tests that need no Airflow process, without the slowest
	$(PYTEST) -m "not system and not slow" -n auto --dist worksteal $(ARGS)

system: setup ## Run the tests in a real Airflow, without the slowest
	$(PYTEST) -m "system and not slow" $(SPREAD) $(ARGS)

screenshots: setup ## Take the documentation's screenshots of the UI again (needs chromium)
	STUDIO_SCREENSHOTS=docs/images $(PYTEST) -m system tests/system/test_ui.py $(ARGS)

docs: setup ## Build the documentation as a site in dist/site, offline; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml

serve-docs: setup ## Serve the documentation on localhost and rebuild it on changes
	$(BIN)/mkdocs serve --config-file docs/site/mkdocs.yml

matrix: setup ## Test the wheel with each Airflow, Python and age of dependencies (long; ARGS="--airflow 3.1")
	$(BIN)/python -m tests.compatibility $(ARGS)

fleet: setup ## Run a governed night with Celery, Redis and PostgreSQL (needs redis-server and postgresql)
	$(BIN)/python -m tests.compatibility.fleet

dist: setup ## Build wheel and sdist, check them, install them cleanly; licences and a bill of materials
	@VENV=$(VENV) .ci/dist

audit: setup ## Look for known vulnerabilities of the locked dependencies (needs network access to their database)
	$(BIN)/uv tool run pip-audit@2.10.1 --disable-pip --require-hashes --requirement $(LOCK) $(ARGS)

release: setup ## Write version and changelog for a release: make release VERSION=0.2.0
	@$(BIN)/python .ci/release.py "$(VERSION)"

benchmark: setup ## Measure how long the provider takes to import and the DAGs to parse (others: tests/benchmarks)
	$(BIN)/python -m tests.benchmarks.importing $(ARGS)

mutants: setup ## Change critical code, one mutation at a time; list the mutations that no test detects (an hour or more)
	@mkdir -p mutants
	@echo "mutmut runs; its progress is in mutants/progress.log"
	@$(BIN)/mutmut run $(ARGS) > mutants/progress.log 2>&1 || { tail -c 3000 mutants/progress.log; exit 1; }
	@tr '\r' '\n' < mutants/progress.log | grep 🙁 | tail -n 1
	@$(BIN)/mutmut results | grep -v ': not checked' || echo "No mutant that was run survived."

format: setup ## Format and sort imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Update the lock of the development environment (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --group dev \
	  --no-emit-index-url --custom-compile-command "make lock" --output-file $(LOCK) pyproject.toml

clean: ## Remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* .import_linter_cache dist mutants
