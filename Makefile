# Output goes to out/ (images, results) and target/ (compiled code).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Tools such as sgdisk and fsck.fat are not in an ordinary user's PATH.
export PATH := $(PATH):/usr/sbin:/sbin
# Foreign tools that judge our work read names of files by it.
export LC_ALL := C.UTF-8
# The programs' places below must not depend on the user's own settings.
export CARGO_TARGET_DIR := $(CURDIR)/target
# A registry may be out of reach for a moment.
export CARGO_NET_RETRY := 10
# What is fetched and unpacked is made while cargo compiles.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += --jobs=2
endif

CARGO := scripts/cargo
PROGRAMS := out/bin/media-builder out/bin/wim-worker out/bin/hive-worker out/bin/media-runtime
BOOT_IMAGE := out/boot-image/linux-pe.tar
REFERENCE := out/reference/reference.wim

.PHONY: help setup build programs windows reference stand-in test-programs demo test test-boot fuzz bench lint docs

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Install what is missing (as root, or by sudo).
	@scripts/setup $(NEEDED)

build: programs windows reference ## Build the programs, the boot image and the demonstration's reference.
	@$(MAKE) --no-print-directory $(BOOT_IMAGE)

# Cargo knows what has changed; a copy is only renewed when its content is another, so that the boot image is kept.
# One cargo: each crate is compiled once.
programs: | setup
	@RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/scripts/rustc-linking-statically \
	    $(CARGO) build --quiet --locked --release -p wim-worker -p hive-worker -p media-builder -p runtime
	@for program in {wim,hive}-worker media-{builder,runtime}; do scripts/put "target/release/$$program" out/bin; done

$(PROGRAMS): programs ;

# One cargo after the other: they would wait for each other anyway.
windows: | setup programs ## Cross-build the runtime for Windows.
	@scripts/windows

# It carries the runtime for Windows where there is one; the demonstration, a Linux, does without.
$(BOOT_IMAGE): $(PROGRAMS) $(wildcard out/bin/media-runtime.exe)
	@mkdir -p $(@D)
	@out/bin/media-builder boot-image build --output $@ --cache out/cache/boot-image

reference: | setup ## Build the demonstration's reference: a Debian, and the repository for it.
	@payloads/reference/build --output out/reference --max-age 24

stand-in: | setup ## Build what stands for Windows in the tests: a small Linux with Wine, in an image that says it is Windows.
	@payloads/stand-in-windows/build --output out/stand-in

# It does not wait for what only the tests need.
demo: NEEDED := demo
demo: programs $(BOOT_IMAGE) reference ## Build media, boot it in a virtual machine, build and capture a reference machine.
	@scripts/demo

test-programs: | programs windows
	@$(CARGO) test --quiet --locked --workspace --no-run

# The same random input in each run: what it finds is mended, and does not come and go.
test: export PROPTEST_RNG_SEED := 1
# Tests of machines wait for a processor, for a machine of another test, or for Wine, most of their time.
test test-boot: export RUST_TEST_THREADS := $(shell echo $$((4 * $$(nproc))))
test: build stand-in test-programs ## Run all tests, those that boot machines too.
	@scripts/reference --check
	@$(CARGO) test --locked --workspace

test-boot: build stand-in ## Run only the tests that boot machines.
	@$(CARGO) test --locked --package tests --test boot

# The time is for what reads disks before they are mounted (a fifth), for each of the workers (a tenth), and for all other parsers.
FUZZ_SECONDS ?= 600
FUZZ_SEED ?= $(shell date +%s)
FUZZ = FUZZ_SEED=$(FUZZ_SEED) FUZZ_SECONDS=$$(($(FUZZ_SECONDS) * $(1) / 10)) $(CARGO) test --quiet --locked $(2) -- --nocapture mutat
fuzz: ## Change valid input at random, for FUZZ_SECONDS (600), and give it to every parser.
	@$(call FUZZ,2,--package runtime --lib)
	@$(call FUZZ,1,--package hive-worker --package wim-worker --test hostile)
	@$(call FUZZ,6,--package tests --test hostile)

bench: build stand-in ## Measure beside other tools.
	@scripts/bench

lint: ## Check format, lints and shell scripts.
	@$(CARGO) fmt --check
	@$(CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings
	@git ls-files -z | xargs -0 grep -lZzE '^#!/bin/(ba)?sh' | xargs -0 shellcheck --exclude=SC1091

docs: programs ## Build the documentation of the code, and renew the generated reference.
	@$(CARGO) doc --quiet --locked --workspace --no-deps
	@scripts/reference
