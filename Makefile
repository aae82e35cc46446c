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
# Everything there is, with the one feature that is off by default: one set of features, so one build, for all tests.
WORLD   := --workspace --features ingest-accept/lambda
.PHONY: help
help: ## List the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "%-18s %s\n", $$1, $$2}'

.PHONY: demo
demo: ## Build, load 3,200 films through a standalone Alioth, search, snapshot, drop and restore them, stop
	@$(CARGO) build $(QUIET) --profile $(PROFILE) --package alioth
	@$(TARGET)/$(PROFILE)/alioth demo --data loadtest/data/movies.parquet

.PHONY: test
test: test-deps ## Run every test, on services it starts itself
	@echo "tests of a cluster of real Qdrant servers: not run (make test-cluster QDRANT_BIN=/path/to/qdrant)"
	@$(CARGO) test $(QUIET) $(WORLD) --lib --bins --tests --profile $(PROFILE) -- --skip real_cluster:: $(TEST_ARGS)

# What runs on the embedded node in `make test` runs here on the real server, and what needs several of them.
CLUSTER_PACKAGES := alioth-cluster snapshot restore
.PHONY: test-cluster
test-cluster: test-deps ## The same on real Qdrant servers, and what needs three of them: QDRANT_BIN=/path/to/qdrant
	@test -x "$(QDRANT_BIN)" || { echo "test-cluster: not run: QDRANT_BIN names no server (make test-cluster QDRANT_BIN=/path/to/qdrant)" >&2; exit 1; }
	@QDRANT_BIN="$(abspath $(QDRANT_BIN))" $(CARGO) test $(QUIET) $(CLUSTER_PACKAGES:%=--package %) --test it --profile $(PROFILE) -- $(TEST_ARGS)

.PHONY: test-lambda
test-lambda: test-deps ## Of the tests, the Lambda build in its emulator, held to the same table of answers
	@$(CARGO) test $(QUIET) $(WORLD) --test lambda --profile $(PROFILE) -- $(TEST_ARGS)

# For a CPU of another kind its standard library, and a linker (cargo-lambda's zig is one), are needed.
LAMBDA_TARGET   ?= x86_64-unknown-linux-gnu
LAMBDA_COMPILER ?= cargo
.PHONY: lambda
lambda: test-deps ## Build the zip of the Lambda function: LAMBDA_TARGET=x86_64-unknown-linux-gnu
	@"$(TOOLS)/cargo-lambda/bin/cargo-lambda" lambda build $(QUIET) --release --package ingest-accept --features lambda --bin bootstrap \
	  --compiler $(LAMBDA_COMPILER) --target $(LAMBDA_TARGET) --output-format zip --lambda-dir "$(abspath $(TARGET))/lambda" --locked
	@.ci/lambda-zip "$(TARGET)/lambda/bootstrap/bootstrap.zip" 6291456

.PHONY: test-deps
test-deps: ## Install what the tests need from the package registries, if absent
	@.ci/test-deps "$(TOOLS)"

.PHONY: lint
lint: ## Formatting, clippy and docs with warnings denied, dependency rules
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy $(QUIET) $(WORLD) --all-targets --profile $(PROFILE) -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(QUIET) $(WORLD) --no-deps --document-private-items --profile $(PROFILE)
	@.ci/deny "$(TOOLS)"

.PHONY: chart
chart: chart-deps ## Check the Helm chart, keda/, alerts and dashboards (UPDATE=1: write helm/golden and keda/ anew)
	@.ci/chart "$(TOOLS)" $(if $(UPDATE),--update)

.PHONY: keda
keda: ## Write keda/ and helm/golden anew from the chart
	@$(MAKE) --no-print-directory chart UPDATE=1

.PHONY: dashboards
dashboards: test-deps chart-deps ## Ask a Prometheus that scrapes real functions every expression of the dashboards that is ours
	@$(CARGO) test --quiet --no-run $(WORLD) --lib --bins --tests --profile $(PROFILE)
	@.ci/dashboards "$(TARGET)/$(PROFILE)" "$(TOOLS)"

.PHONY: chart-deps
chart-deps: ## Install what the checks of the chart need from the package registries, if absent
	@.ci/chart-deps "$(TOOLS)"

.PHONY: k3d
k3d: chart-deps ## The whole system in a k3d cluster on this machine: KEDA, the chart, everything it wants, a table of ports
	@.ci/k3d "$(TOOLS)"

.PHONY: images
images: images-deps ## Build the functions' images from one static release build, print their sizes, run each (ENGINE=docker)
	@.ci/images "$(TOOLS)" "$(TARGET)"

.PHONY: images-deps
images-deps: ## Install what images need from the package registries, if absent
	@.ci/images-deps "$(TOOLS)"

.PHONY: terraform
terraform: ## Check terraform/: TF_PLUGIN_DIR=/path/to/mirror for real provider plugins and the run on an AWS emulator
	@.ci/terraform "$(TOOLS)"

.PHONY: terraform-fmt
terraform-fmt: ## Format terraform/ and write the tables of its READMEs
	@.ci/terraform-tools "$(TOOLS)"
	@"$(TOOLS)/opentofu/tofu" fmt -recursive terraform
	@"$(TOOLS)/checkov/bin/python" .ci/terraform-rules.py . --write

.PHONY: functions
functions: ## Build the functions as they are released, static, into target/functions
	@.ci/functions "$(TOOLS)" "$(TARGET)"

# The functions as they are released, and the harness around them. With QDRANT_BIN the embedded node is not built;
# without it, it is built optimised, which takes minutes.
BENCH := $(CARGO) bench $(QUIET) --package alioth-loadtest --bench table $(if $(QDRANT_BIN),--no-default-features)
.PHONY: bench
bench: bench-deps functions ## Measure all of Alioth beside its references: [QDRANT_BIN=/path/to/qdrant] [BENCH_ARGS=…]
	@$(if $(QDRANT_BIN),QDRANT_BIN="$(abspath $(QDRANT_BIN))") $(BENCH) -- --functions "$(abspath $(TARGET))/functions" --aws "$(abspath $(TOOLS))/awscli/bin/aws" $(BENCH_ARGS)

.PHONY: bench-deps
bench-deps: test-deps
	@.ci/bench-deps "$(TOOLS)"

.PHONY: bench-points
bench-points: ## Measure the parser and the merge beside other parsers
	@$(CARGO) bench --package alioth-points --bench json

.PHONY: bench-guard
bench-guard: ## Count the hot functions' instructions, and fail over 5 % away from the baseline
	@$(CARGO) build $(QUIET) --release --package alioth-guard
	@.ci/bench-guard "$(TARGET)" check

.PHONY: bench-guard-accept
bench-guard-accept: ## Make the counts of now the baseline
	@$(CARGO) build $(QUIET) --release --package alioth-guard
	@.ci/bench-guard "$(TARGET)" accept

# One target after the other, so that the last table has them beside each other.
TARGETS ?= $(if $(QDRANT_URL),ingest upsert qdrant-rest qdrant-grpc,ingest upsert)
.PHONY: load-test
load-test: ## Load a running system: URL=http://… [QDRANT_URL=http://…] [SCENARIO=film] [TARGETS="ingest upsert …"]
	@test -n "$(URL)" || { echo "load-test: URL=http://localhost:8080 says what to load" >&2; exit 64; }
	@$(CARGO) build $(QUIET) --release --package alioth-loadtest
	@for target in $(TARGETS); do "$(TARGET)/release/alioth-loadtest" --url "$(URL)" $(if $(QDRANT_URL),--qdrant-url "$(QDRANT_URL)") --scenario "$(or $(SCENARIO),film)" --target "$$target" $(LOAD_TEST_ARGS); done

.PHONY: ci
ci: lint chart terraform bench-guard dashboards test ## What CI runs: the demo is one of the tests; ends with the test runner's summary
