# Everything a person types. Each target installs what it needs (scripts/bootstrap is quick when nothing is missing).
.DEFAULT_GOAL := help
.PHONY: help run build test test-server sanitize check bench bench-gateway bench-vectors bench-stack bench-server fuzz crash gate gate-server broken-machines vectors-property format install clean
PREFIX ?= $(HOME)/.local
KILLS ?= 2000
TURNS ?= 10000
OPERATIONS ?= 20000
SECONDS_EACH ?= 600
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom)
NINJA := ninja $(if $(JOBS),-j$(JOBS))

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 18

run: build  ## install what is missing, build, and open a conversation beside the API on :9000 (or answer the lines of a pipe)
	@build/pandora chat --serve

build:  ## build/pandora
	@scripts/bootstrap --build-only </dev/null 1>&2
	@cmake --preset release -DPANDORA_TESTS=OFF </dev/null >build.log 2>&1 || { cat build.log >&2; exit 1; }
	@$(NINJA) -C build pandora </dev/null 1>&2

test:  ## build and run every test
	@scripts/bootstrap --tests </dev/null
	@cmake --preset release -DPANDORA_TESTS=ON >build.log 2>&1 || { cat build.log >&2; exit 1; }
	@$(NINJA) -C build
	@ctest --test-dir build -j2 --output-on-failure $(if $(LABEL),-L $(LABEL))

test-server:  ## of the tests those on real servers: PostgreSQL 15 and 16, Redis, S3, several gateways
	@$(MAKE) --no-print-directory test LABEL=server

sanitize:  ## the suite under address+undefined sanitizers (SANITIZER=tsan: data races)
	@scripts/bootstrap --tests </dev/null
	@cmake --preset $(or $(SANITIZER),asan) >/dev/null
	@$(NINJA) -C build-$(or $(SANITIZER),asan)
	@ctest --test-dir build-$(or $(SANITIZER),asan) -j2 --output-on-failure -LE "crash|cli"

check:  ## the quick half, before a commit: format, layers, unit tests
	@scripts/check_format
	@cmake --preset release -DPANDORA_TESTS=ON >/dev/null
	@$(NINJA) -C build
	@ctest --test-dir build -j2 --output-on-failure -L unit

bench:  ## every benchmark; docs/benchmarks.md explains the figures
	@scripts/bootstrap --tests </dev/null
	@cmake --preset bench -DPANDORA_TESTS=OFF >/dev/null
	@$(NINJA) -C build
	@export PANDORA_BENCH_NGINX=$$(scripts/fetch_nginx); for bench in build/*_bench; do \
	  echo "== $$bench"; \
	  case $$bench in \
	    */start_bench) at=$$(mktemp -d) && $$bench $$at 100000 && $$bench $$at && rm -r $$at ;; \
	    *) $$bench ;; \
	  esac || exit 1; \
	done
	@bench/vectors_beside_peers --install
	@bench/encoder_beside_onnxruntime --install

bench-gateway:  ## what the Gateway costs, beside nginx and beside asking the model server directly (PARTS=pass: that part)
	@scripts/bootstrap --tests </dev/null
	@cmake --preset bench -DPANDORA_TESTS=OFF >/dev/null
	@$(NINJA) -C build pandora gateway_bench
	@PANDORA_BENCH_NGINX=$$(scripts/fetch_nginx) build/gateway_bench $(PARTS)

bench-vectors:  ## `pandora vectors` over REST: searches, writes, memory, start (POINTS=100000), and the start of a million
	@scripts/bootstrap --tests </dev/null
	@cmake --preset bench -DPANDORA_TESTS=OFF >/dev/null
	@$(NINJA) -C build pandora rest_load
	@bench/vectors_over_rest $(or $(POINTS),100000) million

bench-stack:  ## `pandora up` beside `docker compose up -d --wait`, and `pandora status` (ROUNDS=5)
	@scripts/bootstrap --tests </dev/null
	@cmake --preset bench -DPANDORA_TESTS=OFF >/dev/null
	@$(NINJA) -C build pandora
	@tests/stack/engine/with_engine --pandora build/pandora bench/stack_up.py $(ROUNDS)

bench-server:  ## a turn's acknowledgement on either profile; a save's SQL part beside a bare INSERT; 64 writers beside one; recall beside files
	@scripts/bootstrap --tests </dev/null
	@cmake --preset bench -DPANDORA_TESTS=OFF >/dev/null
	@$(NINJA) -C build pandora acknowledge_bench server_bench recall_bench
	@build/acknowledge_bench
	@build/server_bench
	@bench/recall_on_servers

fuzz:  ## every fuzz target for SECONDS_EACH (600) seconds
	@scripts/bootstrap --tests </dev/null
	@cmake --preset fuzz >/dev/null
	@scripts/fuzz build-fuzz $(SECONDS_EACH)

crash:  ## kill it KILLS (2000) times at random points and compare with what was acknowledged
	@scripts/bootstrap --tests </dev/null
	@cmake --preset release -DPANDORA_TESTS=ON >/dev/null
	@$(NINJA) -C build pandora crash_driver
	@build/crash_driver --pandora build/pandora --kills $(KILLS)
	@PANDORA_SEED=$(SEED) PANDORA_PROGRAM=build/pandora /usr/bin/python3 tests/vectors/crash_test.py $(KILLS)

vectors-property:  ## OPERATIONS (20000) random ones on `pandora vectors` and on Qdrant's client in memory, every answer compared
	@scripts/bootstrap --tests </dev/null
	@cmake --preset release -DPANDORA_TESTS=ON >/dev/null
	@$(NINJA) -C build pandora
	@PANDORA_SEED=$(SEED) PANDORA_PROGRAM=build/pandora /usr/bin/python3 tests/clients/run_with_clients.py tests/clients/qdrant_property.py $(OPERATIONS)

gate:  ## TURNS (10000) turns while the ways to model server and Orchestrator stall, slice and cut; compare with what was acknowledged
	@scripts/bootstrap --tests </dev/null
	@cmake --preset release -DPANDORA_TESTS=ON >/dev/null
	@$(NINJA) -C build pandora
	@tests/gate/gate_driver.py --pandora build/pandora --turns $(TURNS)
	@tests/gate/gate_driver.py --pandora build/pandora --turns $(TURNS) --apart

gate-server:  ## TURNS (10000) turns from 64 clients through four gateways on one PostgreSQL, Qdrant API and Redis while all are killed at random; compare
	@scripts/bootstrap --tests </dev/null
	@cmake --preset release -DPANDORA_TESTS=ON >/dev/null
	@$(NINJA) -C build pandora
	@tests/gate/gateways_driver.py --pandora build/pandora --turns $(TURNS)

broken-machines:  ## machines broken in three dozen ways beside an Engine of its own: doctor names each, and its remedy is typed; bad input with Compose 1.29
	@scripts/bootstrap --tests </dev/null
	@cmake --preset release -DPANDORA_TESTS=ON >/dev/null
	@$(NINJA) -C build pandora
	@for class in BrokenWhileItRuns BrokenBeforeItRuns BrokenDisk BrokenDocker NoDocker; do \
	  tests/stack/engine/with_engine --pandora build/pandora /usr/bin/python3 tests/stack/engine/broken_machines_test.py -v $$class || exit 1; \
	done
	@PANDORA_EVERY_COMPOSE=1 tests/stack/engine/with_engine --pandora build/pandora /usr/bin/python3 tests/stack/engine/trouble_test.py \
	  -v RefusedWithCompose129 InTheMiddleWithCompose129

format:  ## clang-format over every source
	@git ls-files '*.h' '*.cpp' | xargs clang-format-19 -i

install: build  ## copy the program to PREFIX/bin (default ~/.local)
	install -D -m 0755 build/pandora $(PREFIX)/bin/pandora

clean:  ## remove every build folder; the caches stay
	rm -rf build build-asan build-tsan build-fuzz build.log
