# make demo: from nothing to the result table.  make test: from nothing to green.  The second time nothing is set up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
BIN := $(VENV)/bin
# OpenMP threads that spin while they wait slow each other down whenever something else runs.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-slow test-docker lint format install lock sbom clean

demo: $(INSTALLED)
	$(BIN)/finetune run recipes/demo.yaml

test: $(INSTALLED_DEV)
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10

# The tests of minutes too: jobs and flows killed and carried on, several processes.
test-slow: $(INSTALLED_DEV)
	$(BIN)/pytest -m "slow and not docker"

# On a real engine; the images that ship are built. scripts/docker-engine starts one where none runs.
test-docker: $(INSTALLED_DEV)
	$(BIN)/pytest -m docker

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED_DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(INSTALLED_DEV)

# torch comes first and with what it needs: which build it is (CPU or CUDA) is up to the machine's package index.
# All else is installed as locked; the lock was resolved once, so pip need not (and could not: see scripts/lock).
$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install "$$(grep '^torch==' requirements.lock)"
	$(BIN)/pip install --no-deps -r requirements.lock
	$(BIN)/pip install --no-deps --no-build-isolation --quiet --editable .
	touch $@

# What tests, AWS and the databases need besides.
$(INSTALLED_DEV): $(INSTALLED) requirements-dev.lock
	$(BIN)/pip install --no-deps -r requirements-dev.lock
	touch $@

# Resolves anew and writes what it got.
lock:
	scripts/lock $(PYTHON)

# What is installed, and under which licences. The tools have a folder of their own, so they are not listed.
sbom: $(INSTALLED)
	$(PYTHON) -m venv build/sbom-tools
	build/sbom-tools/bin/pip install --quiet cyclonedx-bom==7.5.0 pip-licenses==5.5.5
	build/sbom-tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-file build/sbom.json $(BIN)/python
	build/sbom-tools/bin/pip-licenses --python $(BIN)/python --format markdown --output-file build/licences.md

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
