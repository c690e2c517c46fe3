# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Photos and weights for the demo; see `make help`.
SIGHTLINE_DATA ?= ../shared/data
export SIGHTLINE_DATA

.PHONY: help setup demo test lint types imports docs checked-docs tests coverage bench clean

help:
	@echo "make demo    set up, locate photos of the planet, then real photos where there are some; write reports"
	@echo "             PHOTOS=folder|csv|parquet MODEL=bundle    use your own"
	@echo "make test    set up, lint, types, import rules, docs (strict) and all tests"
	@echo "make coverage    all tests, and which lines none of them runs"
	@echo "make docs    the documentation, in docs/_build/html"
	@echo "make bench   the quick benchmarks; benchmarks/README.md lists all of them"

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	# Modules are compiled when they are first imported: most of what torch brings along never is.
	$(BIN)/python -m pip install --quiet --no-compile -e ".[dev,docs]"
	@touch $@

setup: $(STAMP)

demo: $(STAMP)
	$(BIN)/python tools/demo.py --photos "$(PHOTOS)" --model "$(MODEL)"

test: lint types imports checked-docs tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy --num-workers auto

imports: $(STAMP)
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/python -m sphinx -j auto -W --keep-going -q -b html docs docs/_build/html

# The same sources and references, as strictly; no page is written, which `make docs` checks.
checked-docs: $(STAMP)
	$(BIN)/python -m sphinx -j auto -W --keep-going -q -t check -b dummy docs docs/_build/checked

# Every processor has a process of tests: threads of theirs would wait for each other's.
tests coverage: export OMP_NUM_THREADS = 1

tests: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist worksteal

# Apart from the tests: before Python 3.12, watching lines makes them take about three times as long.
coverage: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term --cov-fail-under=95

bench: $(STAMP)
	$(BIN)/python benchmarks/cells.py
	$(BIN)/python benchmarks/real_photos.py
	$(BIN)/python benchmarks/build.py

clean:
	rm -rf $(VENV) demo docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage*
