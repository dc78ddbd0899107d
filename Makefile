# Seawall: `make demo` for a first run, `make help` for the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out/demo

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test clients clients-long test-compiled coverage mutants course site lint bench bench-long bench-peers bench-scenarios bench-services bench-instructions bench-check clean

# The compiled engine lives apart from the sources, so that an edited source is never shadowed.
COMPILED := build/compiled
PACKAGES := dashboard doors engine gateway matching risk seawall
SOURCES := $(wildcard $(PACKAGES:%=%/*.py) $(PACKAGES:%=%/*/*.py) $(PACKAGES:%=%/*/*/*.py) $(PACKAGES:%=%/*/*.toml))
TREE := build/tree
APART := python-binance binance-futures-connector nautilus_trader freqtrade
ROUNDS ?= 5
BENCH := $(BIN)/python -m bench.run --build $(COMPILED) --rounds $(ROUNDS)
CURVE := PYTHONPATH=$(COMPILED):. $(BIN)/python -P -m bench.curve --picture docs/tick_cost.svg

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## Run a flash crash and write a report to out/demo
	$(BIN)/seawall run flash_crash --out $(OUT) --overwrite
	@echo "Report: $(abspath $(OUT))/report.html"

test: $(VENV)/.installed-dev ## Run all tests
	$(BIN)/python -m pytest

clients: $(VENV)/.installed-clients ## Install the trading libraries that tests drive against the door

# Each in an environment of its own: two of them are called binance, and the others bring much.
clients-long: $(VENV)/.installed-dev ## Install the clients that do not go together, each apart
	for name in $(APART); do \
	    $(PYTHON) -m venv build/clients/$$name && \
	    build/clients/$$name/bin/python -m pip install --quiet --disable-pip-version-check $$name || \
	    { echo "$$name is not to be had here; its tests skip"; rm -rf build/clients/$$name; }; \
	done

# A copy of everything with the compiled modules beside their sources, so that tests and the
# programs they start find nothing else.
test-compiled: $(COMPILED)/.built ## Run all tests on the compiled engine
	rm -rf $(TREE)
	mkdir -p $(TREE)
	cp -R $(COMPILED)/. $(TREE)
	tar -c $(addprefix --exclude=,./.git ./$(VENV) ./build ./mutants ./out ./run *.egg-info *_cache __pycache__) . \
	    | tar -x -C $(TREE)
	cd $(TREE) && export PYTHONPATH="$$PWD" && \
	    export SEAWALL_SHARED="$${SEAWALL_SHARED:-$(abspath ../shared)}" && \
	    $(abspath $(BIN))/python -P -m seawall.cli --version | grep compiled && \
	    $(abspath $(BIN))/python -P -m pytest

lint: $(VENV)/.installed-dev ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Short searches, and none of the long random comparisons: the branches count here.
coverage: $(VENV)/.installed-dev ## Run the tests of risk/ and print its branch coverage
	SEAWALL_PROFILE=brief $(BIN)/python -m pytest -q tests/risk --cov=risk --cov-branch \
	    --cov-report=term-missing:skip-covered --ignore-glob='*differential*' \
	    --ignore-glob='*random*' --ignore-glob='*recounted*'

mutants: $(VENV)/.installed-dev ## Change rules of risk/ one by one and list what no test notices
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[mutation]'
	SEAWALL_PROFILE=brief $(BIN)/mutmut run
	$(BIN)/mutmut results

course: $(VENV)/.installed-dev ## Run the lessons; write the notebooks and their figures in docs/course
	$(BIN)/python -m notebooks.tools.make

site: $(VENV)/.installed-docs ## Build the documentation and API reference into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Site: $(abspath build/site)/index.html"
	@echo "With search: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site"

bench: $(COMPILED)/.built ## Measure compiled and interpreted; write docs/performance.md
	$(BENCH) --document docs/performance.md
	$(CURVE)

bench-long: $(COMPILED)/.built ## The same with worlds of a million accounts
	$(BENCH) --long --document docs/performance.md
	$(CURVE) --largest 1000000

bench-peers: $(COMPILED)/.built $(VENV)/.installed-peers ## Measure other order books from PyPI beside ours
	$(BIN)/python -m bench.peers --build $(COMPILED) --rounds $(ROUNDS) --document docs/performance.md

bench-scenarios: $(COMPILED)/.built ## Whole scenario runs up to a million accounts; write docs/performance.md
	PYTHONPATH=$(COMPILED):. $(BIN)/python -P -m bench.scenarios --document docs/performance.md

bench-instructions: $(COMPILED)/.built ## Count instructions with valgrind; write docs/performance.md
	$(BIN)/python -m bench.instructions --build $(COMPILED) --document docs/performance.md

bench-services: $(COMPILED)/.built ## Measure the services over ZeroMQ; write docs/services.md
	$(BIN)/python -m bench.services --build $(COMPILED) --interpreted --rounds $(ROUNDS) \
	    --document docs/services.md

bench-check: $(VENV)/.installed-dev ## Run every benchmark once, unmeasured
	$(BIN)/python -m pytest bench --benchmark-disable

clean: ## Remove the environment, builds, caches and runs
	rm -rf $(VENV) build dist out mutants *.egg-info .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Seawall needs Python 3.11 or newer; set PYTHON=python3.11 (or newer)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "$(PYTHON) cannot make a virtual environment: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# The stamps are newer than pyproject.toml as long as nothing has to be installed again.
$(VENV)/.installed: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[dev,doors,lab,cluster,gym,fit]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

$(VENV)/.installed-clients: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[clients]'
	@touch $@

$(VENV)/.installed-peers: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[peers]'
	@touch $@

# From nothing: setuptools would install again what an older build compiled and this one does not.
$(COMPILED)/.built: $(VENV)/.installed-dev setup.py setup_messages.py $(SOURCES)
	rm -rf build
	SEAWALL_COMPILE=1 $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
	    --no-deps --target $(COMPILED) .
	@touch $@
