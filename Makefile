# make demo    the bundled model on the bundled questions, from a fresh clone
# make test    all tests
# make check   format, lints, documentation, tests: what CI runs
# make bench   criterion benches, how near the limit the engine comes, and short forms of what make bench-full does
# make bench-full   the comparison with transformers, how cost grows, and whether verdicts depend on batches: hours

CARGO ?= cargo
PYTHON ?= python3

# As compare.py's 46m.
BENCH_MODEL = --hidden 512 --intermediate 1344 --layers 16 --contribution 0.012 --samples 1

.PHONY: demo test check bench bench-full libtorch libtorch-cuda build results

demo: build
	./target/release/cola demo

build: libtorch
	$(CARGO) build --release --locked

libtorch:
	$(PYTHON) .cargo/libtorch.py

libtorch-cuda: libtorch
	$(PYTHON) .cargo/libtorch.py --cuda

# The release profile, so that tests share what `make demo` has built. One OpenMP thread each: test
# binaries run many small models at once, and spinning threads would slow each other down.
test: libtorch
	OMP_NUM_THREADS=1 $(CARGO) test --release --locked

check: libtorch
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --release --locked --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps
	OMP_NUM_THREADS=1 $(CARGO) test --release --locked

bench: build
	OMP_NUM_THREADS=1 $(CARGO) bench --locked --features internals
	$(PYTHON) benchmarks/random_model.py --out target/bench/46m $(BENCH_MODEL)
	$(CARGO) bench --locked --features internals --bench limit -- $(CURDIR)/target/bench/46m/model
	$(PYTHON) benchmarks/compare.py --quick
	$(PYTHON) benchmarks/growth.py --quick
	$(PYTHON) benchmarks/invariance.py

bench-full: build
	$(PYTHON) benchmarks/compare.py
	$(PYTHON) benchmarks/growth.py
	$(PYTHON) benchmarks/invariance.py

# The committed outcome of the demo.
results: build
	rm -rf results/demo
	./target/release/cola demo --out results/demo
	./target/release/cola export results/demo --format csv --out results/demo/chains.csv
