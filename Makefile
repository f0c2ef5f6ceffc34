# make demo   everything on a composed world of pictures, offline: no GPU, no key, no network
# make ui     the Dagster UI on 127.0.0.1 with what the demo made
# make test   lint, types, tests
# make test-long   the tests in random order, property tests with many new examples
# make help   all targets
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 3000

# two spinning OpenMP threads on two busy cores are slower than one
export OMP_WAIT_POLICY := passive
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM := false
# without bytecode on disk every process compiles torch and Dagster anew
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo ablation evidence ui test test-long drills lint reference chromium clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

install: $(VENV)/installed ## make .venv and install the locked packages

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11) and "Python 3.11 is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $@

demo: install ## images to benchmark scores, in a quarter of an hour on two cores
	$(BIN)/rolesynth demo

ablation: install ## what earns the score: every embedded recipe with five seeds (hours; resumable)
	$(BIN)/rolesynth ablation

evidence: install ## docs/evidence.md and the README's numbers; RECORD=ablation.json NAME=... takes one over
	$(BIN)/python -m rolesynth_assets_tests.docs.evidence $(if $(RECORD),--record $(RECORD) --name $(or $(NAME),ablation) --command "$(or $(COMMAND),rolesynth ablation)")

ui: install ## the Dagster UI of the demo on 127.0.0.1:$(PORT)
	$(BIN)/rolesynth ui --demo --port $(PORT)

lint: install ## ruff, pyright, the floors of the package, its dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/deptry rolesynth_assets

chromium: install ## a Chromium for the tests, installed where there is none
	$(BIN)/python -m rolesynth_assets_tests.browser.chromium

test: lint ## lint, types, tests; screenshots of the UI in build/screenshots
	-$(MAKE) chromium # where this fails, the tests that need a browser fail and say why
	$(BIN)/python -m pytest

test-long: lint ## the tests in random order, each property with 2,000 new examples
	-$(MAKE) chromium
	ROLESYNTH_PROPERTY_TESTS=long $(BIN)/python -m pytest --random-order -o timeout=3600

drills: install ## kill, break and flood the program at full size; writes the table of docs/reliability.md
	$(BIN)/python -m rolesynth_assets_tests.drills

reference: install ## write docs/reference from the code
	$(BIN)/python -m rolesynth_assets_tests.docs.reference

clean: ## remove the demo's project folder, with its state and data
	rm -rf rolesynth-demo
