# `make batch` measures the apps, `make test` tests Loupe; both set up what they need first. `make help` lists the rest.

.DEFAULT_GOAL := help
.NOTPARALLEL:

# More arguments for `loupe batch`, for instance: make batch BATCH_FLAGS="--only nginx --jobs 2"
BATCH_FLAGS ?=
# More arguments for the test runner, for instance: make tests TEST_FLAGS=shim
TEST_FLAGS ?=

# More arguments for the benchmark, for instance: make bench BENCH_FLAGS="--apps nginx --parts campaign"
BENCH_FLAGS ?=

# Cargo knows where its target directory is; this works wherever that is set to be.
LOUPE = cargo run --release --locked --quiet --bin loupe --

.PHONY: help batch test digest bench setup build format lint documentation licences tests clean-containers clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand --tabs=28

batch: setup build ## measure all apps: results go to results/
	$(LOUPE) batch apps/ $(BATCH_FLAGS)

test: setup test-toolchain format lint documentation licences build tests ## everything that continuous integration checks

setup: ## compiler, Docker daemon and base image: looked for, else installed, started or made
	@.ci/toolchain
	@.ci/docker
	@Dockerfiles/base-image.sh

.PHONY: test-toolchain
test-toolchain:
	@.ci/toolchain --test

build: ## the release binary
	cargo build --release --locked

format:
	cargo fmt --check

lint:
	cargo clippy --locked --all-targets -- --deny warnings

documentation:
	RUSTDOCFLAGS='--deny warnings' cargo doc --locked --no-deps --document-private-items --quiet

licences: ## hold the dependencies against deny.toml
	@.ci/licences

tests: ## the tests alone, without set-up
	@.ci/tests $(TEST_FLAGS)

digest: ## note that a change of measuring code was decided upon (see src/campaign/measuring.rs)
	LOUPE_ACCEPT_DIGEST=1 cargo test --locked --test measuring measuring_code

bench: setup ## what campaigns cost, as ratios within one run; for a machine that does nothing else
	cargo bench --locked --bench campaign -- $(BENCH_FLAGS)

clean-containers: build ## remove containers, volumes and networks that a dead run left
	$(LOUPE) clean

clean: ## remove what cargo built
	cargo clean
