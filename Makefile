# `make` alone prints what it can do. Two commands matter: `make run` and `make test`.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check night bench lock clean setup setup-test chromium dovecot clamav

PORT ?= 8000
CRM_DATA ?= ./var
export PORT CRM_DATA

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The first of these that is 3.11 or newer.
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
PROGRAMS := tests/calendars/javascript/package-lock.json
SOURCES_OF_SETUP := pyproject.toml hatch_build.py package-lock.json .npmrc
# The tests start hundreds of processes: where Python is told to keep nothing that it compiled, each would do it anew.
COMPILED_ONCE := PYTHONDONTWRITEBYTECODE=
say = @printf '%s\n' "$(1)"

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## set up, fill a fictional service, and serve it on PORT (8000), data under CRM_DATA (./var)
	@export CRM_ENV="$${CRM_ENV:-demo}"; \
	$(BIN)/crm migrate && $(BIN)/crm demo --if-empty && exec $(BIN)/crm serve

test: setup-test chromium dovecot clamav ## every test, on SQLite and PostgreSQL and in Chromium (up to 15 minutes)
	@$(COMPILED_ONCE) CRM_NOTHING_SKIPPED=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: setup-test ## style, types and house rules (seconds)
	@$(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/python -m pytest -q -p no:xdist tests/house_rules $(ARGS)

night: setup-test chromium dovecot clamav ## the long versions of the tests: thousands of rounds, kills, both databases
	@$(COMPILED_ONCE) CRM_TEST_TIER=night CRM_NOTHING_SKIPPED=1 $(BIN)/python -m pytest -n 2 --dist worksteal --timeout=7200 $(ARGS)

bench: setup-test ## the figures, one a line; ONLY=pages for one group, JSON=file to keep them
	@$(BIN)/crm bench $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

lock: setup-test ## choose the newest allowed versions again and write their sums to constraints*.txt
	@$(PIP) install --quiet uv
	@options="--universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet --upgrade"; \
	$(BIN)/uv pip compile $$options pyproject.toml -o constraints.txt >/dev/null && \
	$(BIN)/uv pip compile $$options pyproject.toml --extra test -c constraints.txt -o constraints-test.txt >/dev/null

clean: ## remove what set-up made (not your data)
	rm -rf $(VENV) crm/static/vendor tests/calendars/javascript/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis test-results

# --- What the above need ---------------------------------------------------------------------------------------------

setup: $(VENV)/.run-ready
setup-test: $(VENV)/.test-ready

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed (Debian: apt-get install python3 python3-venv)"; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  package="$$($(PYTHON) -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')"; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing $$package"; apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y $$package >/dev/null; \
	  else echo "Please run this first:  sudo apt-get install $$package"; exit 1; fi; }
	$(call say,Set-up 1 of 3: a Python of its own in $(VENV))
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)

$(VENV)/.run-ready: constraints.txt $(SOURCES_OF_SETUP) | $(BIN)/python
	$(call say,Set-up 2 of 3: what the service runs on (about half a minute))
	@$(PIP) install --quiet --require-hashes -r constraints.txt
	$(call say,Set-up 3 of 3: the service itself and its browser parts)
	@$(PIP) install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.test-ready: constraints-test.txt $(PROGRAMS) $(VENV)/.run-ready
	$(call say,Set-up for tests: the test tools (about half a minute))
	@$(PIP) install --quiet --require-hashes -r constraints-test.txt
	@$(BIN)/python -m tests.calendars.javascript
	@touch $@

chromium:
	@{ command -v chromium && command -v chromium-headless-shell; } >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Set-up for tests: Chromium, from Debian"; \
	    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium chromium-headless-shell fonts-liberation >/dev/null; \
	  else echo "The browser tests need Chromium. Please run:  sudo apt-get install chromium chromium-headless-shell"; exit 1; fi; }

# A real IMAP server for the tests that read a mailbox: they start it themselves, so it is not started as a service.
dovecot:
	@test -x /usr/lib/dovecot/imap || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Set-up for tests: an IMAP server, from Debian"; \
	    apt-get -qq update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends dovecot-imapd >/dev/null; \
	  else echo "The tests of the mailbox need an IMAP server. Please run:  sudo apt-get install dovecot-imapd"; exit 1; fi; }

# A real virus scanner for the tests that hand in files: they start it themselves, with signatures of their own.
clamav:
	@test -x /usr/sbin/clamd || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Set-up for tests: a virus scanner, from Debian"; \
	    apt-get -qq update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends clamav-daemon >/dev/null; \
	  else echo "The tests of files need a virus scanner. Please run:  sudo apt-get install clamav-daemon"; exit 1; fi; }
