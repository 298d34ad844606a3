# kvit: `make demo` shows it, `make test` tries it. Needs Python 3.11 or later with venv; everything else goes to .venv.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SHELL := /bin/sh

# The interpreter for .venv. Say `make demo PYTHON=/path/to/python3` for another one.
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$candidate; break; }; \
	done)

MAIN_STAMP := $(VENV)/.installed-main
DEV_STAMP := $(VENV)/.installed-dev

# What pytest gets, for example `make test ARGS="-k ledger"`.
ARGS ?=

.DELETE_ON_ERROR:
.PHONY: help demo test faults mutations mutants simulate bench lint format locks audit clean

help:
	@echo "make demo    a running kvit with a water utility of 2,000 accounts, and a kiosk to pay at"
	@echo "make test    all tests; ARGS='-k word' for some of them"
	@echo "make faults  what may break, broken on purpose, with whole loads (half an hour)"
	@echo "make mutations  faults planted in a copy of the source; the tests must find each (ten minutes)"
	@echo "make mutants  every small change to domain and posting, and whether the tests notice (half an hour)"
	@echo "make bench   how fast it is, as ratios in one run (ten minutes; ARGS=--quick: two)"
	@echo "make simulate  a million simulated histories; may be stopped, and goes on where it was"
	@echo "make lint    style, types and who may import whom"
	@echo "make format  put the code into the common form"
	@echo "make locks   look for newer releases and write requirements/ anew"
	@echo "make audit   known weaknesses of the locked releases (asks the package index)"
	@echo "make clean   remove .venv and what tools left behind"

demo: $(MAIN_STAMP)
	$(BIN)/kvit demo

test: $(DEV_STAMP)
	$(BIN)/python -m pytest $(ARGS)

faults: $(DEV_STAMP)
	KVIT_FAULTS=full $(BIN)/python -m pytest tests/faults tests/files/statements/test_memory.py -q $(ARGS)

mutations: $(DEV_STAMP)
	$(BIN)/python -m tests.mutations $(ARGS)

mutants: $(DEV_STAMP)
	$(BIN)/python -m mutmut run --max-children 2 $(ARGS)
	$(BIN)/python -m mutmut results

bench: $(DEV_STAMP)
	$(BIN)/python -m bench $(ARGS)

simulate: $(DEV_STAMP)
	$(BIN)/python -m tests.simulation $(ARGS)

lint: $(DEV_STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

# Universal: one file for every system and Python. Hashes, and no name of any host.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-emit-index-url --no-header

locks: $(DEV_STAMP)
	$(COMPILE) pyproject.toml --output-file requirements/main.txt
	$(COMPILE) --group build --output-file requirements/build.txt
	$(COMPILE) -c requirements/main.txt -c requirements/build.txt pyproject.toml --group dev \
		--output-file requirements/dev.txt

audit: $(DEV_STAMP)
	$(BIN)/pip-audit --requirement requirements/main.txt --disable-pip

clean:
	rm -rf $(VENV) build dist .pytest_cache mutants .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# --- what the targets stand on -----------------------------------------------------------------

$(VENV)/pyvenv.cfg:
	@if [ -z "$(PYTHON)" ]; then \
		echo "kvit needs Python 3.11 or later, and none was found. Install one, or say where it is:" >&2; \
		echo "    make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "kvit needs Python 3.11 or later; $(PYTHON) is older, or does not run." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

# Editable, so that after an update of the clone the command is the new one at once.
$(MAIN_STAMP): requirements/main.txt requirements/build.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(PIP) install --quiet --require-hashes -r requirements/main.txt -r requirements/build.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): requirements/dev.txt $(MAIN_STAMP)
	$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@touch $@
