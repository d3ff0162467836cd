# make demo    the bundled model on the bundled questions, from a fresh clone
# make test    all tests
# make check   format, lints, documentation, tests: what CI runs
# make bench   criterion benches, the comparison with transformers, and how cost grows

CARGO ?= cargo
PYTHON ?= python3

.PHONY: demo test check bench libtorch libtorch-cuda build results

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
	$(CARGO) clippy --release --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps
	OMP_NUM_THREADS=1 $(CARGO) test --release --locked

bench: build
	OMP_NUM_THREADS=1 $(CARGO) bench --locked
	$(PYTHON) benchmarks/compare.py
	$(PYTHON) benchmarks/growth.py

# The committed outcome of the demo.
results: build
	rm -rf results/demo
	./target/release/cola demo --out results/demo
	./target/release/cola export results/demo --format csv --out results/demo/chains.csv
