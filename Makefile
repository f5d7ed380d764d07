# MedUSIS: `make demo` and `make test` need Python 3.11 or newer and nothing else; both can be repeated.
SHELL := /bin/bash
PYTHON ?= $(firstword $(shell for p in python3 python3.12 python3.11 python3.13; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p; done; true))
BIN := .venv/bin
INSTALLED := .venv/.installed-test
DEVELOPER := .venv/.installed-dev
PROJECT_FILES := pyproject.toml setup.py constraints.txt
PYTEST_ARGS ?=
# One process for each of two cores; a file stays in one process, for its fixtures are dear. WORKERS=0 runs in one.
# One thread for each: OpenMP's threads wait by spinning, and more of them than cores made some tests ten times slower.
WORKERS ?= 2
TEST_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long faults check clean distclean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(INSTALLED) ## Create .venv with everything that demo and test need

demo: $(INSTALLED) ## Synthesize an MR from the bundled head CT into out/demo
	$(BIN)/medusis synthesize --ct Resources/SampleData/head_ct.nii.gz --seg Resources/SampleData/head_seg.nii.gz \
		--labels head --generator head-t1w --out out/demo
	@echo "Look at out/demo/report.html"

test: $(INSTALLED) ## Run the tests; what is skipped says why
	OMP_NUM_THREADS=$(TEST_THREADS) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

test-long: $(INSTALLED) ## Run the tests that take minutes
	$(BIN)/python -m pytest -m long $(PYTEST_ARGS)

faults: $(INSTALLED) ## Hand in spoiled files of every kind (MEDUSIS_FAULTS=300 of each); run the tests of faults survived
	cd Testing/Python && OMP_NUM_THREADS=1 ../../$(BIN)/python -m faults
	OMP_NUM_THREADS=$(TEST_THREADS) $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile -m "fault and not long" $(PYTEST_ARGS)

check: $(DEVELOPER) ## Check style (ruff), types (mypy) and the import rules
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q Testing/Python/test_import_rules.py Testing/Python/test_project_files.py

clean: ## Remove what demo, tests and tools wrote
	rm -rf out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find MedUSISLib Testing -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove .venv too
	rm -rf .venv medusis.egg-info

# The stamp is written last: a setup that was interrupted is done again.
$(INSTALLED): $(PROJECT_FILES)
	@test -n "$(PYTHON)" || { echo "MedUSIS needs Python 3.11 or newer (make PYTHON=/path/to/python3 ...)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "python -m venv failed; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

$(DEVELOPER): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
