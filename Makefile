# Everything starts from nothing but Python 3.11 or newer and make:
#   make demo     a first answer: recommend a layout for GPT-3 175B on 128 DGX A100 nodes, with pictures in out/demo
#   make test     the tests
#   make lint     ruff and mypy
#   make wheel    a wheel in dist/
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for name in python3.14 python3.13 python3.12 python3.11 python3; do \
	if command -v $$name >/dev/null 2>&1 && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$name; break; fi; done)
PYTEST_OPTIONS ?= -n auto
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

export MPLBACKEND := Agg

.PHONY: demo test lint wheel schemas clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed
	$(BIN)/rackcast plan scenarios/gpt3-175b.yaml --out out/demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build --wheel --outdir dist .

schemas: $(VENV)/.installed
	$(BIN)/rackcast schema --out schemas

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(PIP) install --editable '.[fast]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml
	$(PIP) install --editable '.[dev,fast,parquet]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf build dist out .mypy_cache .ruff_cache .pytest_cache .hypothesis
