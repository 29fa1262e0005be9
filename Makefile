# Two commands do all set-up: `make demo` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
KEEP ?=
FAIL ?=
export PYTHONDONTWRITEBYTECODE ?= 1

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(UV):
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is missing: apt-get install -y python3 python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "venv is missing: apt-get install -y python3-venv"; exit 1; }
	@echo "setting up $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt

# The demo needs no torch, no compiler and no test tools.
$(VENV)/.demo: $(UV) requirements/gateway.txt requirements/cpu.txt requirements/payload.txt pyproject.toml
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/gateway.txt -r requirements/cpu.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/payload.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(PYTHON) provisioning/apt.py espeak-ng
	@touch $@

demo: $(VENV)/.demo  ## Watch a two-leg call being transcribed live (FAIL=triton kills Triton half-way, KEEP=1 leaves it up)
	@$(BIN)/lingting demo $(if $(FAIL),--fail $(FAIL)) $(if $(KEEP),--keep)

test: $(VENV)/.dev  ## Run the whole suite
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev  ## ruff, mypy, import-linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports

bench: $(VENV)/.dev  ## Measure live calls and recordings against the naive way
	@$(BIN)/lingting bench live --against naive
	@$(BIN)/lingting bench recordings --against naive

lock: $(UV)  ## Pin every dependency again, with hashes
	@for p in bootstrap gateway cpu gpu payload dev; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    $$([ $$p = payload ] && echo --no-deps) requirements/$$p.in -o requirements/$$p.txt || exit 1; done

clean:  ## Remove what make made
	rm -rf $(VENV) .run build *.egg-info

.PHONY: help demo test lint bench lock clean
