# Two commands do everything on a fresh machine:
#   make demo   build mynah and run its main job on the bundled capture
#   make test   every test
.PHONY: demo test build tools fmt lint doc fixtures clean

export CARGO_NET_RETRY ?= 5

demo: build
	./target/release/mynah demo

build: tools
	cargo build --release --locked

test: tools
	cargo test --workspace --locked

# A C compiler is what the codecs (zstd) and the cryptography (ring) need, libpcap's headers what live capture needs (all else works
# without it: cargo build --no-default-features); Rust itself comes from https://rustup.rs.
tools:
	@command -v cargo >/dev/null || { echo "mynah needs Rust: see https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || ./.ci/install cc
	@echo '#include <pcap.h>' | cc -E - >/dev/null 2>&1 || ./.ci/install pcap

fmt:
	cargo fmt --all --check

lint: tools
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc: tools
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Records the fixtures again, with real clients on loopback. Not needed to build or test.
fixtures:
	./fixtures/record.sh

clean:
	cargo clean
	rm -rf mynah-demo
