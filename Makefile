# What to run, and how the environment is made. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ecs-admission needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

# The service alone: pinned by hash, then the package itself, then the detector's rules compiled once (3 s).
$(VENV)/.runtime: $(BIN)/python requirements/runtime.txt requirements/build.txt pyproject.toml
	@echo "installing the pinned dependencies into $(VENV) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@$(BIN)/python -c 'from ecs_admission.project.detectors.kingfisher import warm_cache; warm_cache()'
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo "installing the pinned tools into $(VENV) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

.PHONY: install
install: $(VENV)/.dev ## Make .venv with the service and the tools of its authors

.PHONY: run
run: $(VENV)/.runtime ## Start the service on 127.0.0.1 (PORT=8080), with its data in var/
	@ECS_ADMISSION_BIND=127.0.0.1:$(PORT) ECS_ADMISSION_DATA_DIR=$${ECS_ADMISSION_DATA_DIR:-var} \
		ECS_ADMISSION_LOG_LEVEL=$${ECS_ADMISSION_LOG_LEVEL:-warning} $(BIN)/ecs-admission serve

.PHONY: test
test: $(VENV)/.dev ## Run every test (gets OPA and Helm if it can; what it cannot get is skipped, never with CI=true)
	@tools/opa >/dev/null || test "$$CI" != true
	@tools/helm >/dev/null || test "$$CI" != true
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile $(PYTEST)

.PHONY: lint
lint: $(VENV)/.dev ## Check formatting, style and types
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/hadolint Dockerfile

.PHONY: format
format: $(VENV)/.dev ## Format Python and Rego
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .
	@opa=$$(tools/opa) && "$$opa" fmt -w policies .regal/rules bench/bare_opa

.PHONY: policy
policy: $(VENV)/.dev ## Check and test the policies: format, types, style, coverage, both engines
	@tools/policy

.PHONY: schema
schema: $(VENV)/.runtime ## Write policies/schemas/input.json, the schema of what a rule may read
	@$(BIN)/python tools/schema.py

.PHONY: mutation
mutation: $(VENV)/.dev ## Break the policies line by line and see that a test notices (MUTATION=--write for the docs)
	@opa=$$(tools/opa) && $(BIN)/python tools/mutation.py --opa "$$opa" $(MUTATION)

.PHONY: pack
pack: $(VENV)/.runtime ## Compile policies/ into the pack that ships
	@opa=$$(tools/opa) && $(BIN)/ecs-admission bundle build policies --unreleased --output service/ecs_admission/pack --opa "$$opa"
	@$(BIN)/python -m tools.rule_lock

.PHONY: docs
docs: $(VENV)/.dev ## Write the pages of the rules, the metrics and the log lines (after make pack)
	@$(BIN)/python -m tools.rule_docs --write
	@$(BIN)/python -m tools.reference_docs --write
	@$(BIN)/python -m tools.metric_docs --write

.PHONY: detection
detection: $(VENV)/.dev ## Measure recall and false alarms beside other scanners (DETECTION=--write for the docs)
	@$(BIN)/python -m tests.detection.run $(DETECTION)

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Fuzz the reading and the projection for a minute (FUZZ_SECONDS each)
	@tools/fuzz

.PHONY: bench
bench: $(VENV)/.dev ## Measure against a bare OPA server and write docs/performance.md (8 minutes, needs wrk)
	@tools/opa >/dev/null && $(BIN)/python -m bench.run $(BENCH) && $(BIN)/python -m tests.bypass.cost

.PHONY: bench-log
bench-log: $(VENV)/.dev ## Measure a large decision log for docs/performance.md (DECISIONS=1000000, BENCH=--keep=FOLDER)
	@$(BIN)/python -m bench.log_bench --decisions $(or $(DECISIONS),1000000) $(BENCH)

.PHONY: image
image: $(VENV)/.dev ## Build the container image without a daemon, start it and test it (root, buildah, debootstrap)
	@image=$$(tools/image) && TEST_IMAGE="$$image" $(BIN)/python -m pytest -q -p no:cacheprovider tests/image $(PYTEST)

.PHONY: soak
soak: $(VENV)/.dev ## Load two nodes for two minutes while they are killed, restarted and rolled (SOAK_SECONDS=120)
	@tools/opa >/dev/null && $(BIN)/python -m bench.soak --seconds $(or $(SOAK_SECONDS),120)

.PHONY: lock
lock: $(VENV)/.dev ## Pin the newest versions that pyproject.toml allows, by hash and without index addresses
	@tools/lock

.PHONY: clean
clean: ## Remove the environment, caches and the data of make run
	@rm -rf $(VENV) var dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
