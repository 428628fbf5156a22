# Everything a person runs. `make demo` and `make test` work from a fresh clone with Rust, a C toolchain and
# Python 3 with pip.

DATA ?=
CARGO ?= cargo
BIN := target/release/ibkr-trader
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)

.PHONY: demo test setup build lint bench fuzz train clean-run

# A session from start to end against the simulated gateway. DATA=../shared/data/bars_1m_ustech/2026-04-15.csv.gz
# or DATA=../shared/data/ticks_lean_2013/20131007 plays real data.
demo: setup build
	@$(BIN) demo $(if $(DATA),--data $(DATA))

# Fetches ONNX Runtime (hash-pinned wheel) into .runtime/.
setup:
	@python3 models/fetch_runtime.py

build:
	@$(CARGO) build --release --quiet --bin ibkr-trader

# All tests. Those that need real data or a package index say that they skip where it is absent.
test: setup
ifeq ($(NEXTEST),yes)
	IBKR_TRADER_REQUIRE_RUNTIME=1 $(CARGO) nextest run --no-fail-fast
else
	IBKR_TRADER_REQUIRE_RUNTIME=1 $(CARGO) test --no-fail-fast
endif
	$(CARGO) test --doc --quiet

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings
	$(CARGO) bench --no-run

# Criterion benches; ratios within one run are what to quote.
bench: setup
	$(CARGO) bench

# A long campaign against the gateway's framing, decoders and venue, with new seeds each round; a failure ends it and is kept in
# tests/*.proptest-regressions. FUZZ_ROUNDS=1000 FUZZ_CASES=20000 for a night.
FUZZ_ROUNDS ?= 20
FUZZ_CASES ?= 5000
fuzz:
	@for round in $$(seq 1 $(FUZZ_ROUNDS)); do \
		echo "fuzz: round $$round of $(FUZZ_ROUNDS), $(FUZZ_CASES) cases of each property"; \
		PROPTEST_CASES=$(FUZZ_CASES) $(CARGO) test --quiet --test wire_fuzz --test venue_fuzz || exit 1; \
	done

# Trains the shipped zoo from bars and writes models/ (see models/README.md).
train: build
	python3 models/train --data ../shared/data/bars_1m_ustech

clean-run:
	rm -rf run perf/latest
