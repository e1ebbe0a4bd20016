# `make search` and `make test` do everything from a fresh clone; the rest serves them.
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null \
	&& { echo $$p; break; }; done)
BIN := .venv/bin

.PHONY: search test nightly lint audit mediapipe-test release clean

search: .venv/installed
	$(BIN)/kerasnas search configs/quickstart.yaml

test: lint
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Fresh seeds (printed first), other people's oracles, fuzzing and long walks.
nightly: lint audit
	$(BIN)/pytest --nightly --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: .venv/tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/installed: pyproject.toml requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 with venv is needed: make PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/tools: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Known vulnerabilities of what requirements.txt pins, by an environment of its own; needs a network.
audit: .venv/installed
	@test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit \
	&& .venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1; } \
	|| { rm -rf .venv-audit; echo "audit skipped: pip-audit cannot be installed without a network"; }
	@test ! -x .venv-audit/bin/pip-audit || { rm -f .venv-audit/found; \
	.venv-audit/bin/pip-audit --disable-pip --no-deps --progress-spinner off --timeout 30 \
	--requirement requirements.txt --output .venv-audit/found > .venv-audit/log 2>&1 \
	&& echo "audit: no known vulnerabilities" || { test -s .venv-audit/found \
	&& { cat .venv-audit/found; exit 1; } \
	|| echo "audit skipped: known vulnerabilities cannot be looked up ($$(tail -n 1 .venv-audit/log))"; }; }

# MediaPipe's AudioClassifier on exported files, in an environment of its own: its pins are not ours.
mediapipe-test: .venv/tools .venv-mediapipe/installed
	$(BIN)/pytest tests/flow/task/test_waveform.py

.venv-mediapipe/installed:
	$(PYTHON) -m venv .venv-mediapipe
	.venv-mediapipe/bin/python -m pip install --quiet --disable-pip-version-check mediapipe==1.2.2
	touch $@

# What a release uploads, in dist/: built, checked, and the wheel tried where nothing else is, by a
# search of one network.
release: .venv/tools
	rm -rf dist build .venv-release
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install --quiet --disable-pip-version-check \
	--constraint requirements.txt dist/*.whl
	@cd "$$(mktemp -d)" && cp "$(CURDIR)/configs/quickstart.yaml" . \
	&& "$(CURDIR)/.venv-release/bin/kerasnas" search quickstart.yaml --max-trials 1 \
	&& "$(CURDIR)/.venv-release/bin/kerasnas" package runs/quickstart \
	&& echo "release: $(CURDIR)/dist holds $$(cd "$(CURDIR)/dist" && echo *)"

clean:
	rm -rf .venv .venv-audit .venv-mediapipe .venv-release build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
