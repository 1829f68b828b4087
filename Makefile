# The single door: `make help` lists what it opens. Every target first installs what is missing
# (.ci/install-deps: by apt on Debian and Ubuntu, elsewhere it says what to install).
.DEFAULT_GOAL := help
.SUFFIXES:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

# In a checkout builds land in target/, as Cargo does by itself. .ci/run sets CARGO_TARGET_DIR to a
# folder under the user's cache, so that a later run from another clone starts warm.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
CONTRACT := ui/src/ipc/contract
# What `make run` plays where there is no display, and where it writes the post-mortem.
STORY ?= memory-limit
DRILL_REPORT ?= drill-post-mortem.md

# Cargo's profile of what `make package` packs.
PROFILE ?= release

RULES := docs/rules.md

.PHONY: help run run-window run-terminal dev test lint gen docs test-desktop pictures test-cluster test-package check bench package clean-lab deps-cli deps-test deps-app deps-desktop deps-package deps-cluster

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

run: ## build Afterwatch and open it; without a display, play a recorded incident in the terminal
	@if [ "$$(uname -s)" != Linux ] || [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ]; then $(MAKE) run-window; \
	else $(MAKE) run-terminal; fi

run-window: deps-app node_modules
	npm run build
	cargo build --release --locked -p afterwatch-model
	cargo run --release --locked -p afterwatch

# The history of the drill lies in a folder that goes when the post-mortem is written.
run-terminal: deps-cli
	@echo "There is no display (neither DISPLAY nor WAYLAND_DISPLAY is set): only the command line is built."
	cargo build --release --locked -p kubectl-afterwatch
	@afterwatch=$$CARGO_TARGET_DIR/release/kubectl-afterwatch; kept=$$(mktemp -d); trap 'rm -rf "$$kept"' EXIT; \
	"$$afterwatch" replay $(STORY) --speed 20 --db "$$kept/drill.db"; \
	echo; "$$afterwatch" report 1 --db "$$kept/drill.db" --out $(DRILL_REPORT); \
	echo "The window needs a display: run \`make run\` in a graphical session, or over \`ssh -X\`."; \
	echo "On a cluster of your own: $$afterwatch scan"

dev: deps-app node_modules ## the same with live reload of the window
	cargo build --locked -p afterwatch-model
	npx --yes @tauri-apps/cli@2.12.5 dev

test: deps-test node_modules ## everything that needs neither a window nor a cluster
	cargo test --locked --no-fail-fast
	cargo test --locked -p afterwatch-model
	cargo build --locked -p kubectl-afterwatch -p afterwatch-model
	cargo test --locked --no-fail-fast -p afterwatch-tests --test scenarios --test badinput --test drill
	cargo test --locked -p afterwatch-tests --test cluster -- --check
	npm run check
	npm test

lint: deps-app node_modules ## formatting, clippy, the import rule, the window's lints, stale generated files
	cargo fmt --all --check
	node .ci/check-imports.mjs
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@if command -v cargo-deny > /dev/null; then cargo deny --all-features check bans licenses sources; \
	else echo "cargo-deny is not installed: licences and sources were not checked (cargo install cargo-deny --locked)"; fi
	npm run lint
	npm run check
	.ci/check-generated $(CONTRACT)
	.ci/check-docs $(RULES)

gen: deps-cli ## write the window's TypeScript types from the crate afterwatch-contract
	rm -rf $(CONTRACT)
	TS_RS_EXPORT_DIR=$(CURDIR)/$(CONTRACT) cargo test --locked -p afterwatch-contract export_bindings

docs: deps-cli ## write the rule reference from the rules
	cargo run --quiet --locked -p afterwatch-report --example rules > $(RULES)

test-desktop: deps-desktop node_modules ## the real window, driven by WebDriver under Xvfb
	npm run build
	cargo build --locked --workspace --bin afterwatch --bin kubectl-afterwatch --bin afterwatch-model
	AFTERWATCH_APP=$(CARGO_TARGET_DIR)/debug/afterwatch AFTERWATCH_CLI=$(CARGO_TARGET_DIR)/debug/kubectl-afterwatch \
	  cargo test --locked -p afterwatch-tests --test desktop

pictures: deps-desktop node_modules ## take the README's pictures anew, of a drill in the real window
	npm run build
	cargo build --locked --workspace --bin afterwatch
	AFTERWATCH_APP=$(CARGO_TARGET_DIR)/debug/afterwatch \
	  cargo test --locked -p afterwatch-tests --test desktop pictures_ -- --ignored

test-cluster: deps-cluster ## real faults on a real Kubernetes (root: containers run; without: KWOK nodes only)
	tests/cluster/run

package: deps-app node_modules ## the deb and the rpm, optimised
	npm run build
	packaging/build $(PROFILE)

# What is tested is quick to build; PROFILE=release tests what is shipped.
test-package: PROFILE = dev
test-package: deps-package node_modules ## packages of a plain build: contents; as root also installed, started, upgraded
	npm run build
	packaging/build $(PROFILE)
	packaging/test

check: lint test test-cluster test-desktop test-package ## all of it, as CI does

bench: deps-cluster deps-desktop node_modules ## the figures of the README; on a machine that does nothing else
	npm run build
	cargo build --release --locked --workspace --bin afterwatch --bin kubectl-afterwatch --bin afterwatch-model
	AFTERWATCH_CLI=$(CARGO_TARGET_DIR)/release/kubectl-afterwatch tests/cluster/run --bench
	AFTERWATCH_APP=$(CARGO_TARGET_DIR)/release/afterwatch AFTERWATCH_CLI=$(CARGO_TARGET_DIR)/release/kubectl-afterwatch \
	  cargo test --locked -p afterwatch-tests --test desktop figures -- --ignored --nocapture
	cargo test --release --locked -p afterwatch-core --test rules figures -- --ignored --nocapture
	AFTERWATCH_LLAMA_BENCH=$$(.ci/build-llama-bench release || true):$$(.ci/debian-llama-bench || true) \
	  cargo test --release --locked -p afterwatch-model --test worker figures -- --ignored --nocapture
	cargo run --release --locked -p afterwatch-report --example pages -- $(CARGO_TARGET_DIR)/pages
	@for bin in afterwatch kubectl-afterwatch afterwatch-model; do \
	  printf 'FIGURE size: %s: %s MB\n' $$bin $$(($$(stat -c %s $(CARGO_TARGET_DIR)/release/$$bin) / 1000000)); done

clean-lab: ## forget the cluster that was built for the tests
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/afterwatch/lab"

# A static pattern: make looks for no rule by pattern where the target is phony.
deps-cli deps-test deps-app deps-desktop deps-package deps-cluster: deps-%:
	@.ci/install-deps $*

node_modules: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch node_modules
