# televisit: one non-recursive make. `make help` lists the targets; mk/ holds the rules by theme.

.DEFAULT_GOAL := all
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:

VERSION := 0.1.0

# VARIANT: release, asan (AddressSanitizer + UBSan), tsan (ThreadSanitizer)
VARIANT ?= release
B := build/$(VARIANT)
GEN := build/gen

include mk/flags.mk
include mk/deps.mk
include mk/gen.mk
include mk/build.mk
include mk/test.mk
include mk/web.mk
-include mk/stack.mk
-include mk/quality.mk
-include mk/bench.mk
-include mk/images.mk
-include mk/chart.mk
-include mk/cluster.mk

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  make %-18s %s\n", $$1, $$2}' \
	    Makefile $(wildcard mk/*.mk)

.PHONY: clean
clean: ## remove what was built; downloaded tools and the data of `make up` stay
	rm -rf build/release build/asan build/tsan build/gen
