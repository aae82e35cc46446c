# Every target that a person or CI runs. `make help` lists them.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# One profile for the demo, the tests and their lints, so that each dependency is built once.
PROFILE ?= demo
CARGO   ?= cargo
TARGET  := $(or $(CARGO_TARGET_DIR),target)
TOOLS   := $(TARGET)/tools
QUIET   := $(if $(CI),--quiet,)
.PHONY: help
help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "%-18s %s\n", $$1, $$2}'

.PHONY: demo
demo: ## Build, load 3,200 films through a standalone Alioth, search them, stop
	@$(CARGO) build $(QUIET) --profile $(PROFILE) --package alioth
	@$(TARGET)/$(PROFILE)/alioth demo --data loadtest/data/movies.parquet

.PHONY: test
test: test-deps ## Run every test, on services it starts itself
	@echo "tests of a cluster of real Qdrant servers: not run (make test-cluster QDRANT_BIN=/path/to/qdrant)"
	@$(CARGO) test $(QUIET) --workspace --lib --bins --tests --profile $(PROFILE) -- --skip real_cluster:: $(TEST_ARGS)

# What runs on the embedded node in `make test` runs here on the real server, and what needs several of them.
CLUSTER_PACKAGES := alioth-cluster snapshot restore
.PHONY: test-cluster
test-cluster: test-deps ## The same on real Qdrant servers, and what needs three of them: QDRANT_BIN=/path/to/qdrant
	@test -x "$(QDRANT_BIN)" || { echo "test-cluster: not run: QDRANT_BIN names no server (make test-cluster QDRANT_BIN=/path/to/qdrant)" >&2; exit 1; }
	@QDRANT_BIN="$(abspath $(QDRANT_BIN))" $(CARGO) test $(QUIET) $(CLUSTER_PACKAGES:%=--package %) --test it --profile $(PROFILE) -- $(TEST_ARGS)

.PHONY: test-deps
test-deps: ## Install what the tests need from the package registries, if absent
	@.ci/test-deps "$(TOOLS)"

.PHONY: lint
lint: ## Formatting, clippy and docs with warnings denied, dependency rules
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy $(QUIET) --workspace --all-targets --profile $(PROFILE) -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(QUIET) --workspace --no-deps --document-private-items --profile $(PROFILE)
	@.ci/deny "$(TOOLS)"

.PHONY: bench
bench: ## Measure the parser and the merge beside their references
	@$(CARGO) bench --package alioth-points --bench json

.PHONY: bench-guard
bench-guard: ## Count the hot functions' instructions, and fail over 5 % away from the baseline
	@$(CARGO) build $(QUIET) --release --package alioth-guard
	@.ci/bench-guard "$(TARGET)" check

.PHONY: bench-guard-accept
bench-guard-accept: ## Make the counts of now the baseline
	@$(CARGO) build $(QUIET) --release --package alioth-guard
	@.ci/bench-guard "$(TARGET)" accept

.PHONY: ci
ci: lint bench-guard test ## What CI runs: the demo is one of the tests; ends with the test runner's summary
