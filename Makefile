# Everything one does with Chairside. `make run` opens a demo clinic on this machine; `make test` proves the whole.
# It needs Debian 12 with Python 3.11; whatever else is missing, the set-up installs (scripts/setup.py).
SYSTEM_PYTHON := $(shell command -v python3.11 || command -v python3)
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest -q -n 2 --dist loadgroup
.DEFAULT_GOAL := help

.PHONY: help run reset setup setup-tests check test soak bench permissions mutants screenshots chart-pictures chart-golden format

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

run: setup ## open a demo clinic on this machine (PORT=8000 HOST=127.0.0.1 DEMO=on)
	@exec $(PYTHON) scripts/run.py

reset: ## forget the clinic on this machine: remove var/ (asks first; YES=1 does not)
	@$(SYSTEM_PYTHON) scripts/reset.py

setup: ## install what `make run` needs; what is there already is left alone
	@$(SYSTEM_PYTHON) scripts/setup.py

setup-tests:
	@$(SYSTEM_PYTHON) scripts/setup.py --tests

check: setup-tests ## the quick half, for every few minutes of work: format, lint, types, fast tests
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(PYTEST) -m "not slow and not browser and not server and not soak"

test: setup-tests ## everything: the quick half, browsers, real servers, and a share of every long campaign
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(PYTEST)

soak: setup-tests ## the long campaigns in full (SEED=20260101 repeats a day's run)
	SOAK=full $(PYTHON) -m pytest -q -m soak --timeout 3600

bench: setup-tests ## measure against the yardstick; writes docs/performance.md
	$(PYTHON) -m bench

permissions: setup-tests ## write docs/permissions.md anew: read what changed before you commit it
	WRITE_PERMISSIONS=1 $(PYTHON) -m pytest -q tests/conventions/test_matrix.py

mutants: setup-tests ## take every check of who may do what away, one at a time: the tests must notice each
	$(PYTHON) scripts/mutate.py

screenshots: setup-tests ## a picture of every page in three sizes, into screenshots/
	$(PYTHON) scripts/screenshots.py

chart-pictures: setup-tests ## every kind of chart entry in every status, and whole mouths, as sheets to look at: screenshots/chart/
	$(PYTHON) scripts/chart_pictures.py

chart-golden: setup-tests ## write tests/chart/golden/ anew: look at chart-pictures before you commit it
	WRITE_GOLDEN=1 $(PYTHON) -m pytest -q tests/chart/test_golden.py

format: setup-tests ## put the code into the one format
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
