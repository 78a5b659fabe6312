# Two commands matter: `make demo` shows the compiler at work, `make test` runs every test.
# Both set up .venv on first use; only Python 3.11 or newer is assumed to be there.

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.stamp
# What `pytest -n` starts; two fit the smallest machine that CI has.
JOBS ?= 2

.PHONY: help setup demo test check gpu bench golden clean

help:
	@echo "make demo    compile three pruned weights and an attention: what was chosen and why, checked and timed"
	@echo "make test    run every test that needs no GPU"
	@echo "make check   lint, types, import arrows, and the fast tests: before each commit"
	@echo "make gpu     run the tests that need an NVIDIA GPU"
	@echo "make bench   measure on this machine"
	@echo "make golden  rewrite golden files and generated pages; look at the diff before you commit it"

setup: $(STAMP)

$(STAMP): pyproject.toml scripts/constraints.txt scripts/setup.py scripts/find_python.sh
	python=$$(sh scripts/find_python.sh) && $$python scripts/setup.py $(VENV)
	@touch $@

demo: $(STAMP)
	$(PY) examples/demo.py

test: $(STAMP)
	$(PY) -m pytest -n $(JOBS) -m "not gpu"

check: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	PYTHONPATH=. $(VENV)/bin/lint-imports
	$(PY) -m pytest -n $(JOBS) -m "not gpu and not slow" $(wildcard tests/house tests/unit tests/golden)

gpu: $(STAMP)
	$(PY) -m pytest -n $(JOBS) -m gpu

bench: $(STAMP)
	$(PY) -m bench.run

golden: $(STAMP)
	$(PY) -m pytest -n $(JOBS) --update-golden tests/golden tests/pass
	PYTHONPATH=. $(PY) scripts/errors_page.py
	PYTHONPATH=. $(PY) scripts/stages_page.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
