# Everything a newcomer or CI needs, from nothing but Python, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test e2e fuzz browser dev lint docs bench soak format clean
help: ## show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), "Python 3.11, 3.12 or 3.13 is needed, this is " + sys.version'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[atlas,onnx]' --group dev
	touch $@

demo: $(STAMP) ## index the sample library end to end and search it (writes demo/)
	$(BIN)/library-pipeline demo

test: $(STAMP) ## run the tests
	$(BIN)/python -m pytest

e2e: $(STAMP) ## run whole programs: the demo, Dagster's daemon, backfills, kills; before a release
	$(BIN)/python -m pytest -o addopts="-q --timeout 600 -n 2" library_pipeline_tests/e2e

EXAMPLES ?= 500
fuzz: $(STAMP) ## ask the API what nobody thought of, for some minutes; EXAMPLES=5000 for longer
	LIBRARY_TEST_FUZZ=$(EXAMPLES) $(BIN)/python -m pytest -o addopts="-q --timeout 3600" library_pipeline_tests/web/test_fuzz.py

SHOTS ?=
browser: $(STAMP) ## test the pages in a real Chromium; SHOTS=docs/images keeps its screenshots
	LIBRARY_TEST_SHOTS="$(abspath $(SHOTS))" $(BIN)/python -m pytest -o addopts="-q --timeout 180 -n 2 --dist loadgroup --no-loadscope-reorder" library_pipeline_tests/browser

dev: $(STAMP) ## Dagster UI, daemon and search page over the demo library
	$(BIN)/library-pipeline dev --demo

lint: $(STAMP) ## formatting, lint, types and the import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(STAMP) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP) ## write docs/cli.md from the program
	$(BIN)/python -m typer library_pipeline.cli.app utils docs --name library-pipeline \
		--title "The command line" --output docs/cli.md

COMPONENTS ?= 100000
bench: $(STAMP) ## measure and print; COMPONENTS=2000 makes it short, 100,000 take half an hour
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group bench
	$(BIN)/python -m tools.bench --components $(COMPONENTS)

KILLS ?= 50
SEED ?= 1
soak: $(STAMP) ## kill -9 at random for a quarter of an hour, see that nothing is lost; KILLS=5 is short
	$(BIN)/python -m tools.soak --kills $(KILLS) --seed $(SEED)

clean: ## remove what make and the demo made
	rm -rf $(VENV) demo
