# make demo    a demonstration: a made-up day of studies, checked and reported
# make test    the tests
# make lint    ruff, mypy and the import rules
# make bench   the benchmarks in benchmarks/
# make venv    only the environment in .venv, as make test uses it
# make clean   remove the environment and the caches (never pacsqc-data)
#
# Another interpreter:         make PYTHON=python3.12 demo
# More arguments to the tool:  make test ARGS="-m real -x"

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

# Each stamp says: installed since pyproject.toml or constraints.txt last changed. The larger sets hold the smaller ones.
RUN := $(VENV)/.installed-run
TEST := $(VENV)/.installed-test
DEV := $(VENV)/.installed-dev
INSTALL = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test lint bench venv venv-dev clean

help:
	@sed -n 's/^# \{0,1\}//p; /^$$/q' Makefile

demo: $(RUN)
	$(VENV)/bin/pacsqc demo $(ARGS)

test: $(TEST)
	$(VENV)/bin/python -m pytest $(ARGS)

# all three run, and any of them failing fails
lint: $(DEV)
	@failed=; \
	for tool in "ruff check" mypy lint-imports; do \
	    echo "$$tool"; \
	    $(VENV)/bin/$$tool || failed="$$failed $${tool%% *}"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

bench: $(TEST)
	@found=; \
	for script in benchmarks/*.py; do \
	    [ -f "$$script" ] || continue; \
	    found=1; echo "$$script"; \
	    $(VENV)/bin/python "$$script" $(ARGS) || exit 1; \
	done; \
	if [ -z "$$found" ]; then echo "no benchmark in benchmarks/" >&2; exit 1; fi

venv: $(TEST)

venv-dev: $(DEV)

$(RUN): $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing pacsqc into $(VENV) (about a minute) ..."
	@$(INSTALL) -e .
	@touch $(RUN)

$(TEST): $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing pacsqc and what its tests need into $(VENV) (about a minute) ..."
	@$(INSTALL) -e '.[test]'
	@touch $(RUN) $(TEST)

$(DEV): $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing pacsqc and its developers' tools into $(VENV) (about a minute) ..."
	@$(INSTALL) -e '.[dev]'
	@touch $(RUN) $(TEST) $(DEV)

# Order of the questions: is it there, is it new enough, can it make environments.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	    echo "There is no $(PYTHON) here. pacsqc needs Python 3.11 or newer; another one is named by: make PYTHON=/path/to/python3.12 ..." >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is `$(PYTHON) --version 2>&1`; pacsqc needs Python 3.11 or newer. Name another: make PYTHON=/path/to/python3.12 ..." >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments (no venv or ensurepip). On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	    exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf *.egg-info
	find qc phantoms reports flows tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
