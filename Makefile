# Upzento CRM. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Each function is a program with the name of its package.
FUNCTIONS := appointments auth contacts deals docs jobs mail reminders tenancy widgets
FUNCTION_PACKAGES := $(addprefix -p ,$(FUNCTIONS))

# All downloaded packages are pinned by a lock file.
DYNAMODB_LOCAL := infra/dynamodb-local/node_modules/.package-lock.json
VENV := .local/venv
CHECKERS := $(VENV)/.installed
REDOCLY := infra/lint/node_modules/.package-lock.json
E2E := tests/e2e/node_modules/.package-lock.json

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# ── Prerequisites ────────────────────────────────────────────────────────────────────────────────────────────────────
# $(call need,command,how to install it) and $(call need_version,name,minimum,command that prints the version,how to install it)
need = @command -v $(1) >/dev/null || { echo '$(1) is missing. $(2)' >&2; exit 1; }
need_version = @there=$$($(3)); printf '%s\n' '$(2)' "$${there:-0}" | sort -C -V || \
  { echo "$(1) $(2) or later is needed, and this is $${there:-unknown}. "'$(4)' >&2; exit 1; }

RUST := 1.95.0
JAVA := 17
NODE := 20.19
PYTHON := 3.10

GET_RUST := Install it with rustup: https://rustup.rs
GET_CC := Install a C compiler: apt-get install build-essential, or xcode-select --install
GET_JAVA := Install it: apt-get install openjdk-17-jre-headless, or brew install openjdk@17
GET_NODE := Install it: https://nodejs.org
GET_CHROMIUM := Install it: apt-get install chromium, or set CHROMIUM to the path of a Chromium or Chrome
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
run: need-rust $(if $(filter local,$(DYNAMODB)),$(DYNAMODB_LOCAL) need-java) ## Run the local server; infra/README.md lists its settings
	@echo 'Building the local server$(if $(filter lambda,$(MODE)), and the functions)...'
	@[ -e target/debug/local ] || echo 'The first build compiles all dependencies: about 5 minutes on 2 cores. Later builds take seconds.'
	@cargo build -p infra --bin local $(if $(filter lambda,$(MODE)),$(FUNCTION_PACKAGES) $(addprefix --bin ,$(FUNCTIONS)))
	@echo 'Starting the local server...'
	@exec target/debug/local

$(DYNAMODB_LOCAL): infra/dynamodb-local/package-lock.json | need-node
	@cd infra/dynamodb-local && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# ── Check ────────────────────────────────────────────────────────────────────────────────────────────────────────────
# The files of tests/integration that belong to a module: `make test MODULE=deals` runs these, the unit tests of the module's
# function and those of its folders in shared/src. A file may belong to several modules, OTHER_TESTS to none.
MODULES := appointments auth contacts deals jobs mail reminders tenancy widgets
TESTS_appointments := appointment_lists appointments availability booking_faults booking_races calendar services staff transitions
TESTS_auth := isolation lost_access passwords permissions sign_in throttling user_rules users
TESTS_contacts := contact_jobs contact_lists contacts export import tags upserts
TESTS_deals := assignees deal_races deals pipelines stage_deletion
TESTS_jobs := contact_jobs import job_turns stage_deletion
TESTS_mail := mail
TESTS_reminders := reminders simulation
TESTS_tenancy := domains tenancy
TESTS_widgets := widget_access widget_bookings widget_captcha widget_site
OTHER_TESTS := checking conventions cost examples faults functions harness_checks local_server openapi paging start_page tour

# The folders and files of shared/src that belong to a module.
SHARED_appointments := appointments booking
SHARED_auth := identity users
SHARED_contacts := contacts references
SHARED_deals := deals
SHARED_jobs := jobs
SHARED_mail := mail mailer
SHARED_reminders := mailer reminders
SHARED_tenancy := tenants
SHARED_widgets := widgets

# Files of tests/integration that are in no list, and names in the lists without a file.
INTEGRATION := $(shell sed -n 's/^mod \(.*\);/\1/p' tests/integration/main.rs)
LISTED := $(OTHER_TESTS) $(foreach module,$(MODULES),$(TESTS_$(module)))
MISLISTED := $(filter-out $(LISTED),$(INTEGRATION)) $(filter-out $(INTEGRATION),$(LISTED))

empty :=
space := $(empty) $(empty)
# A cargo-nextest filter for the tests in these modules of a crate.
below = test(/(^|::)($(subst $(space),|,$(strip $(1))))::/)
MODULE_FILTER = package($(MODULE)) \
  $(if $(SHARED_$(MODULE)),| package(shared) & $(call below,$(SHARED_$(MODULE)))) \
  | binary(integration) & $(call below,$(TESTS_$(MODULE)))

NEXTEST := $(shell command -v cargo-nextest)

.PHONY: test
ifdef MODULE
test: need-rust ## Run all tests on DynamoDB Local, or those of a module on the embedded engine: MODULE=deals
	$(if $(filter $(MODULE),$(MODULES)),,$(error MODULE is one of: $(MODULES)))
	$(if $(filter mail reminders,$(MODULE)),cargo build --quiet $(FUNCTION_PACKAGES) --bins)
ifneq ($(NEXTEST),)
	cargo nextest run -p shared -p $(MODULE) -p tests -E '$(MODULE_FILTER)'
else
	@# The same packages in both commands: otherwise Cargo would select other features of dependencies and rebuild them.
	cargo test -p shared -p $(MODULE) -p tests --lib
	cargo test -p shared -p $(MODULE) -p tests --test integration -- $(addsuffix ::,$(TESTS_$(MODULE)))
endif
else
test: need-rust need-java $(DYNAMODB_LOCAL)
	cargo build --workspace --bins --examples
ifneq ($(NEXTEST),)
	target/debug/with-dynamodb-local cargo nextest run --workspace
	cargo test --workspace --doc
else
	target/debug/with-dynamodb-local cargo test --workspace
endif
endif

.PHONY: simulate
simulate: need-rust need-java $(DYNAMODB_LOCAL) ## Simulate a day of 10,000 reminders, with failures and killed workers
	cargo build --workspace --bins --examples
	target/debug/with-dynamodb-local cargo test --workspace --test integration -- --ignored --nocapture simulation::a_day

.PHONY: e2e
e2e: need-rust $(E2E) ## Run the browser tests of the widgets; FILES=booking.test.mjs runs one file
	$(if $(CHROMIUM),,$(error Chromium is missing. $(GET_CHROMIUM)))
	cargo build -p infra --bin local
	CHROMIUM=$(CHROMIUM) node tests/e2e/run.mjs $(FILES)

CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

$(E2E): tests/e2e/package-lock.json | need-node
	@cd tests/e2e && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: lint
lint: need-rust $(CHECKERS) $(REDOCLY) ## Check format, lints, docs, wording, the OpenAPI document and the template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	$(VENV)/bin/cfn-lint template.yaml
	$(if $(strip $(MISLISTED)),$(error the Makefile's TESTS_* and tests/integration differ in: $(MISLISTED)))
	@mkdir -p $(dir $(OPENAPI))
	cargo run --quiet -p docs --example openapi >$(OPENAPI)
	cargo run --quiet -p widgets --example widgets-openapi >$(WIDGETS_OPENAPI)
	$(VENV)/bin/openapi-spec-validator --validation-errors all $(OPENAPI) $(WIDGETS_OPENAPI)
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
	  infra/lint/node_modules/.bin/redocly lint --config infra/lint/redocly.yaml $(OPENAPI) $(WIDGETS_OPENAPI)
	python3 infra/lint/banned-words.py $(OPENAPI) $(WIDGETS_OPENAPI)
	python3 infra/lint/platform-domains.py --check

OPENAPI := .local/openapi.json
WIDGETS_OPENAPI := .local/widgets-openapi.json

$(CHECKERS): infra/requirements.txt | need-python
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(REDOCLY): infra/lint/package-lock.json | need-node
	@cd infra/lint && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: deny zone-data
deny: zone-data ## Check dependencies (licences, sources, known vulnerabilities) and the age of the time zone rules
	$(call need,cargo-deny,Install it: cargo install --locked cargo-deny)
	cargo deny check

zone-data: need-rust ## Check that the time zone rules are the newest release
	@infra/zone-data.sh

.PHONY: check-data
check-data: need-rust ## Check the consistency of the local server's data; infra/check-data.sh checks a deployment
	@export TABLE_NAME=upzento AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local \
	  AWS_ENDPOINT_URL_DYNAMODB=$${DYNAMODB_ENDPOINT:-http://localhost:$${DYNAMODB_PORT:-8000}}; \
	  cargo run --quiet -p infra --bin check-data

.PHONY: bench bench-costs bench-functions bench-scale
bench: bench-functions bench-scale ## Run both benchmarks below

bench-functions: need-rust need-java $(DYNAMODB_LOCAL) ## Measure cold start, size, memory, capacity and time; writes tests/bench/RESULTS.md
	@# Built separately, because other packages would enable more features of the dependencies: measures the deployed programs.
	cargo build --release $(FUNCTION_PACKAGES) --bins
	$(BUILD_BENCH)
	$(BENCH) functions

bench-costs: need-rust need-java $(DYNAMODB_LOCAL) ## Print round trips, capacity and item sizes only, from a debug build
	cargo build -p infra -p tests --bin with-dynamodb-local --bin bench
	target/debug/with-dynamodb-local target/debug/bench costs

bench-scale: need-rust need-java $(DYNAMODB_LOCAL) ## Measure a client with 200,000 contacts and 20,000 deals; writes tests/bench/SCALE.md
	$(BUILD_BENCH)
	$(BENCH) scale

BUILD_BENCH := cargo build --release -p infra -p tests --bin with-dynamodb-local --bin bench
BENCH := target/release/with-dynamodb-local target/release/bench

# ── Deploy ───────────────────────────────────────────────────────────────────────────────────────────────────────────
# Builds for the architecture of this machine. The runtime provided.al2023 of AWS Lambda has glibc 2.34: a program that
# needs a later version does not start there.
.PHONY: package
package: need-rust ## Build the functions for `sam deploy`, into .build/
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
clean: ## Delete all build results and the local data
	cargo clean
	rm -rf .build .local infra/dynamodb-local/node_modules infra/lint/node_modules tests/e2e/node_modules
