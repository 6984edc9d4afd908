# make help lists what there is to make. PYTHON=... chooses the Python that .venv is made of.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-all site test-site lint clean

CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
SUITABLE   := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
BIN        := .venv/bin

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## */  make \1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-18s%s\n", $$1, $$2 }'

demo: .venv/.stamp-demo  ## the tour: losses written, checked, compiled and trained with
	@$(BIN)/python examples/demo.py

test: lint  ## everything a change must pass: lint, then every test and doctest
	@$(BIN)/python -m pytest -n 2

ELSEWHERE := tests/test_backends.py tests/test_devices.py tests/test_op_accuracy.py tests/test_boosting.py tests/test_recipes.py \
    tests/test_fused.py tests/test_fused_preference.py tests/test_values.py tests/test_torch_losses.py \
    lossdsl/jax.py lossdsl/torch.py lossdsl/fused

test-all: .venv/.stamp-all  ## the losses on JAX, torch and boosting libraries as well; after `make test`, which has TensorFlow
	@LOSSDSL_BACKENDS="jax torch" LOSSDSL_BOOSTING="xgboost lightgbm catboost" $(BIN)/python -m pytest -n 2 $(ELSEWHERE)

site: .venv/.stamp-docs  ## the gallery of losses and the documentation, into build/site; open build/site/index.html
	@$(BIN)/python website/build.py

# A few losses of each kind: those that the browser test names, others that draw in other ways, and a few that are drawn.
# make test-site SHOWN= DRAWN=0 is of all losses, and takes long; SEED=... draws others.
SHOWN := huber mean_squared_error welsch categorical_crossentropy dpo siou nt_xent focal_tversky quantile poisson \
    sparse_categorical_crossentropy masked_cross_entropy cox adaptive_wing hinge lovasz_softmax crps_ensemble
DRAWN := 6
SEED := 20250

test-site: .venv/.stamp-docs website/browser/node_modules  ## the site, driven in a browser; needs node, and brings Chromium where apt-get may
	@$(BIN)/python website/build.py --out build/test/site --drawn $(DRAWN) --seed $(SEED) $(SHOWN)
	@test -n "$$CHROMIUM" || test -x /usr/bin/chromium || \
	    { echo "Installing Chromium"; apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }
	@node website/browser/test.mjs build/test/site

website/browser/node_modules: website/browser/package-lock.json
	@npm ci --prefix website/browser --no-audit --no-fund --silent
	@touch $@

lint: .venv/.stamp-test  ## ruff, mypy, and the bound on what one function does
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m mypy
	@$(BIN)/complexipy lossdsl --max-complexity-allowed 25 --failed --plain

clean:  ## remove .venv and whatever else was made here
	@rm -rf .venv build dist out .complexipy_cache .hypothesis .mypy_cache .pytest_cache .ruff_cache website/browser/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.stamp-demo: pyproject.toml
	@$(call install,demo)
	@touch $@

.venv/.stamp-test: pyproject.toml
	@$(call install,dev)
	@touch .venv/.stamp-demo $@

.venv/.stamp-docs: .venv/.stamp-test
	@touch .venv/.unfinished
	@echo "Installing what the site is built with into .venv"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input -e '.[dev,docs]'
	@rm .venv/.unfinished
	@touch $@

# The build of torch that runs on a CPU, where the package index has several.
TORCH ?= torch==2.13.0

.venv/.stamp-all: .venv/.stamp-test
	@touch .venv/.unfinished
	@echo "Installing JAX, torch, XGBoost, LightGBM and CatBoost into .venv"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input '$(TORCH)' -e '.[dev,jax,torch,boosting]'
	@rm .venv/.unfinished
	@touch .venv/.stamp-all

# The file .unfinished is there while an install is under way. A .venv that one left behind, or whose Python is gone, has no stamps.
ifneq ($(shell test -x $(BIN)/python && test ! -e .venv/.unfinished && echo whole),whole)
.PHONY: .venv/.stamp-demo .venv/.stamp-test .venv/.stamp-docs .venv/.stamp-all
endif

# $(call install,EXTRA) gives .venv the project, editable, with EXTRA; a .venv that cannot be trusted is made anew.
define install
set -eu; \
if [ -e .venv/.unfinished ] || ! $(BIN)/python -c '$(SUITABLE)' 2>/dev/null || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
    python=; \
    for each in $(CANDIDATES); do \
        if "$$each" -c '$(SUITABLE)' </dev/null >/dev/null 2>&1; then python=$$each; break; fi; \
    done; \
    if [ -z "$$python" ]; then \
        echo "TensorFlow needs Python 3.11, 3.12 or 3.13; tried: $(CANDIDATES). Name one with: make PYTHON=/path/to/python3" >&2; exit 1; \
    fi; \
    if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
        echo "$$python has no ensurepip and so cannot make a virtual environment; on Debian and Ubuntu the package python3-venv brings it." >&2; exit 1; \
    fi; \
    rm -rf .venv; mkdir .venv; touch .venv/.unfinished; \
    "$$python" -m venv .venv; \
fi; \
touch .venv/.unfinished; \
echo "Installing lossdsl[$(1)] into .venv with $$($(BIN)/python --version); the first time takes minutes."; \
$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input -e '.[$(1)]'; \
rm .venv/.unfinished
endef
