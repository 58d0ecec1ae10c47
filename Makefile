# Two commands for a fresh machine: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DATA ?=

.PHONY: install demo check test test-slow docs clean
install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[train,lite,tensorboard,dev]"
	touch $@

demo: install
	$(BIN)/sceneparse demo $(if $(DATA),--data "$(DATA)")

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/typos

test: install
	$(BIN)/python -m pytest -m "not slow"

test-slow: install
	$(BIN)/python -m pytest -m slow

docs: install
	$(BIN)/python docs/make_reference.py

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
