# make demo    a real LLM on real questions, then the bundled model on the bundled ones, from a fresh clone
# make demo-small   the bundled part alone
# make test    all tests; make test CRATE=math-answer those of one crate
# make test-real   a real LLM on a few real questions, fetched first
# make check   format, lints, documentation, tests: what CI runs
# make bench   criterion benches, how near the limit the engine comes, and short forms of what make bench-full does
# make bench-full   the comparison with transformers and llama.cpp, how cost grows, and whether verdicts depend on batches: hours

CARGO ?= cargo
PYTHON ?= python3

# As compare.py's 46m.
BENCH_MODEL = --hidden 512 --intermediate 1344 --layers 16 --contribution 0.012 --samples 1

.PHONY: demo demo-small real test test-real check bench bench-full libtorch libtorch-cuda build results

# Without the wheels the real part is left out: real.py has said why.
demo: build
	@if $(PYTHON) datasets/real.py; then ./target/release/cola demo --real; fi
	./target/release/cola demo

demo-small: build
	./target/release/cola demo

real:
	$(PYTHON) datasets/real.py

build: libtorch
	$(CARGO) build --release --locked

libtorch:
	$(PYTHON) .cargo/libtorch.py

libtorch-cuda: libtorch
	$(PYTHON) .cargo/libtorch.py --cuda

# The release profile, so that tests share what `make demo` has built. One OpenMP thread each: test
# binaries run many small models at once, and spinning threads would slow each other down.
test: libtorch
	OMP_NUM_THREADS=1 $(CARGO) test --release --locked $(if $(CRATE),-p $(CRATE),--workspace)

test-real: libtorch real
	OMP_NUM_THREADS=1 $(CARGO) test --release --locked --workspace --test real

check: libtorch
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --release --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps
	OMP_NUM_THREADS=1 $(CARGO) test --release --locked --workspace

bench: build
	OMP_NUM_THREADS=1 $(CARGO) bench --locked --features internals
	$(PYTHON) benchmarks/random_model.py --out target/bench/46m $(BENCH_MODEL)
	$(CARGO) bench --locked --features internals --bench limit -- $(CURDIR)/target/bench/46m/model
	$(PYTHON) benchmarks/compare.py --quick
	$(PYTHON) benchmarks/growth.py --quick
	$(PYTHON) benchmarks/invariance.py

bench-full: build
	$(PYTHON) benchmarks/compare.py
	$(PYTHON) benchmarks/compare.py --models demo 46m 300m
	$(PYTHON) benchmarks/growth.py
	$(PYTHON) benchmarks/growth.py --model random
	$(PYTHON) benchmarks/invariance.py

# The committed outcomes: of the demo, and of a larger search of the real LLM, which takes about an hour on two cores.
REAL = datasets/real
results: build real
	rm -rf results/demo results/smollm2
	./target/release/cola demo --out results/demo
	./target/release/cola export results/demo --format csv --out results/demo/chains.csv
	head -n 150 $(REAL)/arc_challenge.jsonl > target/arc-challenge-150.jsonl
	./target/release/cola search --model models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf \
		--task arc_easy sciq basic_arithmetic_generate arc_challenge \
		--data $(REAL)/arc_easy.jsonl $(REAL)/sciq.arrow $(REAL)/basic_arithmetic.arrow target/arc-challenge-150.jsonl \
		--limit 300 --simulations 20 --arms search,random,sampling,layers+sampling --out results/smollm2
	./target/release/cola analyze results/smollm2
	./target/release/cola export results/smollm2 --format csv --out results/smollm2/chains.csv
	$(PYTHON) results/table.py results/smollm2 > results/smollm2/table.md
