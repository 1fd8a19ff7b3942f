# The commands of this repository. `make` alone lists them; each sets up what it needs first.
#
# Needs Python 3.11 or later, git and make. `make test-clusters` needs Go too, and Redis.

VENV    := .venv
BIN     := $(VENV)/bin
PYTEST  := $(BIN)/python -m pytest
PYTHONS := python3.11 python3.12 python3.13 python3.14 python3 python
# What counts as new enough, and whole: Debian ships Python without ensurepip, which venv needs.
FIT     := import ensurepip, ssl, sys, venv; sys.exit(sys.version_info < (3, 11))
SLOW    := clusters

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-clusters check fmt lint types imports proto docs bench lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do \
	    printf '  make %-14s %s\n' "$$name" "$$what"; done

setup: $(VENV)/.installed ## the programs at .venv/bin/argocd-agent and .venv/bin/argocd-agentctl, from nothing in a minute
	@echo "ready: $(BIN)/argocd-agent and $(BIN)/argocd-agentctl"

demo: setup ## a hub and two spokes on this machine, narrated; SERVE=1 keeps them up, REPO= PATH_= REVISION= choose a repository
	$(BIN)/argocd-agent demo $(if $(SERVE),--serve) $(if $(REPO),--repo '$(REPO)') \
	    $(if $(PATH_),--path '$(PATH_)') $(if $(REVISION),--revision '$(REVISION)')

test: setup ## everything that needs only Python and git; ARGS= goes to pytest
	$(PYTEST) tests --ignore=tests/$(SLOW) $(ARGS)

test-clusters: setup ## against real API servers and Argo CD, which the first run builds (see tools/build); ARGS= goes to pytest
	@command -v go >/dev/null || { \
	    echo "make test-clusters: no Go toolchain: expected 'go' (1.26 or later) on PATH, which builds Kubernetes and Argo CD" >&2; exit 1; }
	tools/build
	$(PYTEST) tests/$(SLOW) $(ARGS)

check: lint types imports ## what every commit passes: format, lint, types, imports, shape, unit, property
	$(PYTEST) tests/architecture tests/unit tests/property

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter

fmt: setup ## put the code into its format, and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

proto: setup ## regenerate src/argocd_agent/wire/proto from proto/
	$(BIN)/python proto/generate.py

docs: setup ## regenerate docs/reference from the code and the tests
	$(BIN)/python -m docs.generate

bench: setup ## the numbers, beside the last recorded ones; ARGS= goes to the bench
	$(BIN)/python -m bench $(ARGS)

lock: setup ## pin what pyproject.toml asks for; UPGRADE=1 moves every version
	$(BIN)/python requirements/lock.py $(if $(UPGRADE),--upgrade)

clean: ## remove the environment and every cache
	rm -rf $(VENV) .cache .ruff_cache .mypy_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up in three steps, each redone only when what it is made from has changed.

$(VENV)/.python:
	@for python in $(or $(PYTHON),$(PYTHONS)); do \
	    if $$python -c '$(FIT)' >/dev/null 2>&1; then \
	        echo "making $(VENV) with $$($$python --version), $$python"; \
	        $$python -m venv --clear $(VENV) && touch $@ && exit 0 || exit 1; \
	    fi; \
	done; \
	echo "make setup: expected Python 3.11 or later with its venv module, and none of $(or $(PYTHON),$(PYTHONS)) is that:" \
	    "install one, or name one with PYTHON=" >&2; exit 1

$(VENV)/.dependencies: requirements/dev.txt | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.dependencies
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
