# Needs python3 (3.11 or newer), make, and a package index that pip can reach; everything else is set up on demand.
# Each target makes the environment it needs, quietly, and again only when what it is made from has changed.

PYTHON ?= python3
VENV ?= .venv
BENCH_VENV ?= .venv-bench
DEMO ?=
TESTS ?=
# Processes that the suite runs in; 0 for this one alone.
JOBS ?= 3
# Compiled once, also where the machine says that nothing is to be kept: each process of the suite would compile all anew.
export PYTHONDONTWRITEBYTECODE :=
BENCH ?=
TORTURE ?=
FUZZ ?=

BIN := $(VENV)/bin
MADE_FROM := pyproject.toml src/convergekit/_version.py

.PHONY: help demo test peers check torture torture-email torture-sms torture-xmpp torture-x torture-webhook fuzz mutants format bench docs test-all constraints changelog clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

demo: $(VENV)/.with-test ## messages go out and come in, over real sockets, without any account
	@$(BIN)/convergekit demo $(DEMO)

test: $(VENV)/.with-oracles peers ## the whole suite; TESTS="tests/model -k address" for a part of it
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(TESTS)

peers: ## install the servers that tests talk with, where this machine may: root on Debian
	@$(PYTHON) tools/peers.py

check: $(VENV)/.with-dev ## format, lint, types, and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -q tests/test_imports.py tests/test_project.py

torture: $(VENV)/.with-test ## workers are killed by the hundred, and every sum must hold; TORTURE="--kills 20 --seed 7"
	@$(BIN)/python -m tests.torture $(TORTURE)

torture-email: $(VENV)/.with-test peers ## mail goes round through Postfix and Dovecot, and its worker is killed; TORTURE="--kills 9"
	@$(BIN)/python -m tests.adapters.email.round_trip $(TORTURE)

torture-sms: $(VENV)/.with-test peers ## SMS out and in through Kannel, which comes and goes, as our endpoint does; a worker is killed; TORTURE="--only trio"
	@$(BIN)/python -m tests.adapters.sms.kannel $(TORTURE)
	@$(BIN)/python -m tests.adapters.sms.attack.killed $(TORTURE)

torture-xmpp: $(VENV)/.with-test peers ## Prosody is killed and the line is cut, while messages go both ways; TORTURE="--messages 500 --seed 7"
	@$(BIN)/python -m tests.adapters.xmpp.torture $(TORTURE)

torture-x: $(VENV)/.with-test ## 1,000 mentions and 300 messages by webhook and by polls, while the worker is killed; TORTURE="--kills 20 --seed 7"
	@$(BIN)/python -m tests.adapters.x.killed $(TORTURE)

torture-webhook: $(VENV)/.with-test ## 2,000 webhooks from one hub to another over a line that loses some, while both are killed; TORTURE="--kills 5 --messages 500"
	@$(BIN)/python -m tests.adapters.webhook.killed $(TORTURE)

fuzz: $(VENV)/.with-test ## look for calls that break the webhooks' app, for ten minutes; FUZZ="--seconds 3600 --seed 7"
	@$(BIN)/python -m tests.fuzz --seconds 600 $(FUZZ)

mutants: $(VENV)/.with-test ## adapters that are broken on purpose, and the rule that finds each of them
	@$(BIN)/python -m tests.mutants

format: $(VENV)/.with-dev ## write what `check` would ask for
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(BENCH_VENV)/.with-bench peers ## ours against theirs; BENCH="inbound --json" for a part of it
	@$(BENCH_VENV)/bin/python -m bench $(BENCH)

docs: $(VENV)/.with-docs ## the site, into docs/_build/html; a warning is an error
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

test-all: ## the whole suite on every Python >= 3.11 that this machine has
	@found=$$($(PYTHON) tools/pythons.py); failed=; \
	for each in $$found; do \
		echo "== Python $${each%%=*}"; \
		$(MAKE) --no-print-directory test PYTHON="$${each#*=}" VENV=".venv-$${each%%=*}" || failed="$$failed $${each%%=*}"; \
	done; \
	[ -n "$$found" ] || { echo "no Python >= 3.11 found"; exit 1; }; \
	[ -z "$$failed" ] || { echo "failed on:$$failed"; exit 1; }

constraints: ## pin the newest versions that fit together, anew
	@rm -rf .venv-fresh
	@$(MAKE) --no-print-directory VENV=.venv-fresh CONSTRAINTS= .venv-fresh/.with-dev .venv-fresh/.with-docs .venv-fresh/.with-oracles
	@.venv-fresh/bin/python tools/freeze.py > constraints.txt
	@rm -rf .venv-fresh
	@$(MAKE) --no-print-directory VENV=.venv-fresh CONSTRAINTS= .venv-fresh/.with-bench
	@.venv-fresh/bin/python tools/freeze.py > constraints-bench.txt
	@rm -rf .venv-fresh

changelog: $(VENV)/.with-dev ## show what the next release would say
	@$(BIN)/towncrier build --draft

clean: ## remove what make made
	rm -rf .venv-* build dist docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests bench examples docs tools -name __pycache__ -prune -exec rm -rf {} +
	rm -rf $(VENV)

# --- environments -----------------------------------------------------------------------------------------------------
# An environment grows by dependency groups; a stamp in it says which ones it has.

CONSTRAINTS = constraints.txt
$(BENCH_VENV)/.with-bench: CONSTRAINTS = constraints-bench.txt

# What the oracles of the tests depend on is not needed, and would be fifty megabytes more.
$(VENV)/.with-oracles: private ONLY = --no-deps --no-compile
$(VENV)/.with-oracles: $(VENV)/.with-test

define install
	@echo "setting up $(@D) ($(subst .with-,,$(@F)))"
	@[ -x $(@D)/bin/python ] || { \
		$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("convergekit needs Python 3.11 or newer; say which one: make PYTHON=...")' \
		&& $(PYTHON) -m venv $(@D); }
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check $(CONSTRAINTS:%=-c %) --upgrade "pip>=25.1"
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check $(CONSTRAINTS:%=-c %) $(ONLY) -e . --group $(subst .with-,,$(@F))
	@touch $@
endef

$(VENV)/.with-%: $(MADE_FROM) constraints.txt
	$(install)

$(BENCH_VENV)/.with-%: $(MADE_FROM) constraints-bench.txt
	$(install)
