# run · test · test-real · model · check · bench. Logic beyond a line lives in xtask/.
CARGO  ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Outlives a fresh clone: cargo-deny takes 105 s of processor time to build (250 s when optimised).
TOOLS  ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/barterline-tools
CI     := --workspace --locked --profile ci
ARGS   ?=

# make test runs as many schedules as the model test says.
SCHEDULES ?= 100000
# What is tested against real things: a client in another language, its own document, a proxy and a mail
# relay, a provider of identities, a Redis, a bucket, a CQL database. By name alone: opensearch, which is
# experimental.
PART   ?= client openapi walk openid redis s3 cql

.PHONY: help run test test-real real-client real-openapi real-walk real-openid real-redis real-s3 real-opensearch real-cql planted model check advisories bench rust bins node npm nginx python redis jdk

help:
	@echo "make run [ARGS='--demo']   build and start the server"
	@echo "make test                  every test of the workspace"
	@echo "make test-real             everything that needs a real thing beside it: $(PART)"
	@echo "make test-real PART=cql    the cluster backend on a database of its own (JDK 17, Maven, openssl, Redis)"
	@echo "make planted               plants faults, and wants harness and model test to catch them"
	@echo "make model SCHEDULES=n     the model test for longer, on n random schedules"
	@echo "make check                 format, lints, documents, doors, licences"
	@echo "make advisories            what was published against the parts of others (needs the net)"
	@echo "make bench                 the server under load, on this machine"

run: rust # Everything but the server's own first line goes to standard error.
	@$(CARGO) build --release --locked --bin barterline >&2
	@exec $(TARGET)/release/barterline serve $(ARGS)

test: rust # One build for server, harness and tests: tests start both binaries.
	$(CARGO) build $(CI) --all-targets
	$(CARGO) test $(CI)
	$(CARGO) xtask planted

planted: rust # Each fault breaks one promise on purpose.
	$(CARGO) xtask planted

model: rust
	SCHEDULES=$(SCHEDULES) $(CARGO) test $(CI) --test sim

test-real: $(addprefix real-,$(PART))

real-client: bins node # An outsider's client against the real binary.
	node tests/real/first_session.mjs $(TARGET)/ci/barterline

real-openapi: bins python # Random requests to the real binary, held against its document.
	tests/real/openapi/run $(TARGET)/ci/barterline

real-walk: bins node npm nginx # From a registration to a talk, through a proxy that ends TLS.
	tests/real/walk/run $(TARGET)/ci/barterline

real-openid: bins node npm # In at a provider that others made.
	tests/real/openid/run $(TARGET)/ci/barterline

real-redis: bins node redis # What servers share, and what they do when it hangs or is gone.
	$(CARGO) test $(CI) --test redis
	node tests/real/redis/two_servers.mjs $(TARGET)/ci/barterline

real-s3: bins node $(TOOLS)/bin/s3s-fs # Files of chats in an S3 that others made.
	tests/real/s3/run $(TARGET)/ci/barterline $(TOOLS)/bin/s3s-fs

real-opensearch: bins node jdk # What is found by an engine that others made.
	tests/real/opensearch/run $(TARGET)/ci/barterline

real-cql: bins node redis # Starts the database, and stops it whatever comes.
	tests/real/cql/run $(TARGET)/ci/barterline

check: rust $(TOOLS)/bin/cargo-deny
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(CI) --all-targets -- -D warnings
	$(CARGO) clippy $(CI) --test scylla --test scylla_faults -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc $(CI) --no-deps
	$(CARGO) xtask doors && $(CARGO) xtask errors && $(CARGO) xtask defences
	$(TOOLS)/bin/cargo-deny --locked check --hide-inclusion-graph bans licenses sources

advisories: rust $(TOOLS)/bin/cargo-deny # The one check that needs the net: a database of others.
	$(TOOLS)/bin/cargo-deny --locked check --hide-inclusion-graph advisories

$(TOOLS)/bin/cargo-deny:
	$(CARGO) install cargo-deny --locked --debug --root $(TOOLS)

$(TOOLS)/bin/s3s-fs:
	$(CARGO) install s3s-fs@0.14.1 --features binary --locked --debug --root $(TOOLS)

bench: rust
	$(CARGO) build --release --locked --workspace --bins
	benches/run.sh $(ARGS)

rust:
	@command -v $(CARGO) >/dev/null || { echo "Rust 1.95 or newer is missing: https://rustup.rs" >&2; exit 1; }

bins: rust
	$(CARGO) build $(CI) --bins

node:
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null \
	  || { echo "Node 20 or newer is missing: https://nodejs.org" >&2; exit 1; }

npm:
	@command -v npm >/dev/null || { echo "npm is missing: https://nodejs.org, or your system's package npm" >&2; exit 1; }

nginx:
	@command -v nginx >/dev/null && command -v openssl >/dev/null \
	  || { echo "nginx or openssl is missing: both are packages of your system" >&2; exit 1; }

redis:
	@command -v redis-server >/dev/null \
	  || { echo "redis-server is missing: it is in your system's package redis-server or redis" >&2; exit 1; }

jdk:
	@java -version 2>&1 | grep -q 'version "17\.' && command -v mvn >/dev/null \
	  || { echo "JDK 17 or Maven is missing (Debian: openjdk-17-jdk-headless, maven)" >&2; exit 1; }

python:
	@python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	  || { echo "Python 3.10 or newer with venv is missing: https://www.python.org" >&2; exit 1; }
