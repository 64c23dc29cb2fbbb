PYTHON := .venv/bin/python

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

.PHONY: check
check: ## format, lint, types, fast tests
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(PYTHON) -m pytest -q -n 2 -m "not slow and not browser and not server and not soak"

.PHONY: test
test: ## everything
	$(PYTHON) -m pytest -q -n 2
