# Everything that is needed is set up on the way: Python 3.11 or newer, make, and a package index are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
CUDA ?= cuda13
PIP := $(BIN)/pip install -q --disable-pip-version-check

# All processors compile what pip would compile with one. Nobody runs the tests that packages bring along.
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/tests?/|/pip/' $(VENV)/lib/python*/site-packages ops service flows

.PHONY: help train study test chaos mutants compose-test gpu-test lint lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

train: $(VENV)/runtime  ## train the textbook's LeNet on Fashion-MNIST and publish it (ARGS="--epochs 3 …")
	$(BIN)/atelier train $(ARGS)

# Tests start hundreds of processes: where no bytecode may be kept, each would compile the project.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/test  ## the test suite
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow" $(ARGS)

study: $(VENV)/runtime  ## what averaging does, over many trainings; goes on where it stopped (ARGS="--seeds 2")
	$(BIN)/atelier study $(ARGS)

chaos: $(VENV)/test  ## twenty trainings in a storm of kills (ARGS="RUNS KILLS FIRST_SEED s3")
	$(BIN)/python -m tests.chaos $(ARGS)

mutants: $(VENV)/test  ## do tests fail when code changes? scores of modules (ARGS="service/rounds/plan.py"; all: an hour)
	$(PIP) --no-build-isolation -e ".[mutation]"
	$(BIN)/python -m tests.mutation $(ARGS)

compose-test: $(VENV)/test  ## the real stack in Docker: form, kills, same bits (ATELIER_SCREENSHOTS=FOLDER keeps pictures)
	@docker info >/dev/null 2>&1 || { echo "make compose-test needs a running Docker engine and docker compose" >&2; exit 1; }
	$(BIN)/python -m pytest -x -s tests/compose/check_stack.py $(ARGS)

gpu-test: $(VENV)/test  ## tests and measurements that need a GPU (CUDA=cuda12 for older drivers)
	$(PIP) --require-hashes -r requirements-$(CUDA).lock
	PYTHON=$(BIN)/python tests/gpu/session.sh

lint: $(VENV)/test  ## formatting, lints, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock:  ## resolve the dependencies anew, with hashes (needs uv)
	echo pip | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - \
		-o requirements-pip.lock
	echo 'setuptools>=77' | uv pip compile -q --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --extra s3 pyproject.toml - -o requirements.lock
	for cuda in cuda12 cuda13; do \
		echo 'setuptools>=77' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
			--no-annotate --extra s3 --extra $$cuda -c requirements.lock pyproject.toml - -o requirements-$$cuda.lock || exit 1; \
	done
	echo 'setuptools>=77' | uv pip compile -q --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --extra test -c requirements.lock pyproject.toml - -o requirements-test.lock
	printf 'flask>=3\nflask-cors>=5\nmoto[s3]>=5.1\n' | uv pip compile -q --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -c requirements-test.lock - -o requirements-storage.lock

clean:  ## remove the environment and every cache
	rm -rf $(VENV) .venv-newest flows/prefect.sql *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# The pip that comes with a Python may be old: 23 takes three times as long as 26 to find what a lock names.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements-pip.lock

# Nothing is installed that the lock doesn't name by hash; the project itself is built without fetching anything.
$(VENV)/runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) --no-compile --require-hashes -r requirements.lock
	$(PIP) -q --no-deps --no-build-isolation -e .
	$(COMPILE) & $(BIN)/python -m flows.database; status=$$?; wait; exit $$status
	@touch $@

$(VENV)/test: requirements-test.lock $(VENV)/runtime
	$(PIP) --no-compile --require-hashes -r requirements-test.lock
	$(COMPILE) || :
	@touch $@
