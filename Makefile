# SPDX-License-Identifier: Apache-2.0
# make run is all that a newcomer needs: it installs what is missing, builds, makes the language images and starts
# everything. Each target says what it does in make help.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell script/version)
LISTEN  ?= 127.0.0.1:8080
IMAGES  ?= /var/lib/ccee/images
DATA    ?= /var/lib/ccee
# Images that carry the languages' own tests: a store of their own, so that no tenant is offered them.
SELFTEST_IMAGES ?= /var/lib/ccee/selftest
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
MISSPELL    := github.com/golangci/misspell/cmd/misspell@v0.8.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# Static: one file that runs on any Linux and in an empty image. cgo is needed for sandbox-init (C) and libseccomp; netgo and
# osusergo keep glibc's resolver and NSS out, which can't be linked statically.
TAGS    := netgo,osusergo
LDFLAGS := -s -w -linkmode external -extldflags -static -X main.version=$(VERSION)
export CGO_ENABLED := 1

# make install: DESTDIR stands before them for whoever makes a package.
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
export PREFIX SYSCONFDIR DESTDIR

# Root runs things as they are; others get there by sudo.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=PATH,GOPROXY,GOFLAGS,CCEE_CACHE,CCEE_DEBIAN_MIRROR,CCEE_DEBIAN_SECURITY_MIRROR,SANDBOX_SLOWNESS,CI_END,CCEE_VM)

.PHONY: help deps test-deps build install uninstall dist dist-images images selftest run check test test-vm vm race conformance lint vulnerabilities mutate fmt bench clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

deps: ## install what is missing (apt-get) and make the user ccee; says what it does
	@$(AS_ROOT) script/deps

test-deps: ## the same, and what tests and benchmarks need
	@$(AS_ROOT) script/deps --tests

build: ## build bin/ccee, one static binary
	@script/deps --check || $(MAKE) --no-print-directory deps
	go build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/ccee ./cmd/ccee

install: build ## install it with manual pages, shell completion and systemd units below $(PREFIX) and $(SYSCONFDIR)
	@script/install bin/ccee

uninstall: ## take away what make install installed; images, data and changed settings stay
	@script/install --remove bin/ccee

dist: build ## make dist/ccee-VERSION-linux-ARCH.tar.gz and its SHA256SUMS
	@VERSION=$(VERSION) script/dist bin/ccee

dist-images: build ## make the container images of api, worker and runner as OCI layouts in dist/images, from bin/ccee and $(IMAGES)
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} go run ./infra/images -binary bin/ccee -images $(IMAGES) \
	  -out dist/images -version '$(VERSION)' -revision "$$(git rev-parse HEAD)"

images: deps build ## fill $(IMAGES) with the language images; does nothing when they are current
	@$(AS_ROOT) bin/ccee image build --images $(IMAGES) --recipes images

selftest: deps build ## fill $(SELFTEST_IMAGES) with the images that carry the languages' own tests
	@$(AS_ROOT) bin/ccee image build --images $(SELFTEST_IMAGES) --recipes images/selftest

run: deps build images ## start everything on $(LISTEN) with the key dev-local-key
	@$(AS_ROOT) script/run-dev $(LISTEN) $(DATA) $(IMAGES)

test: test-deps build images selftest ## run all tests, those that need root, Redis and images included
	@$(AS_ROOT) env SANDBOX_MUST_WORK=1 CCEE_IMAGES=$(IMAGES) CCEE_SELFTEST_IMAGES=$(SELFTEST_IMAGES) .ci/test

test-vm: test-deps build images ## run the tests of what depends on the kernel on pure cgroup v2, in a virtual machine
	@$(AS_ROOT) env CCEE_IMAGES=$(IMAGES) .ci/vm

vm: test-deps build images ## make that virtual machine in CCEE_VM, a directory, for a later test-vm
	@$(AS_ROOT) env CCEE_IMAGES=$(IMAGES) .ci/vm --prepare $(CCEE_VM)

conformance: test-deps build images selftest ## run the languages' own tests in jails and outside, compare, rewrite the table in docs/CONFORMANCE.md
	@$(AS_ROOT) go run ./e2e/conformance -images $(IMAGES) -selftest-images $(SELFTEST_IMAGES) -table docs/CONFORMANCE.md

check: ## before each commit: lint, and the pure tests with -race; no root, under a minute once caches are warm
	@script/deps --check || $(MAKE) --no-print-directory deps
	@STATICCHECK=$(STATICCHECK) MISSPELL=$(MISSPELL) .ci/check

lint: ## gofmt, go vet, staticcheck, go fix, spelling, style rules, messages of commits, C warnings
	@script/deps --check || $(MAKE) --no-print-directory deps
	@STATICCHECK=$(STATICCHECK) MISSPELL=$(MISSPELL) .ci/lint

race: ## run with -race what of the tests an ordinary user can run
	@.ci/race

vulnerabilities: ## ask vuln.go.dev about the dependencies
	go run $(GOVULNCHECK) ./...

mutate: ## break one line at a time and see whether the tests notice: make mutate ARGS='-n 20 job api/webhook'
	@go run ./mutate $(ARGS)

bench: test-deps build images ## time it against fork + exec, bubblewrap and bare runtimes; prints ratios
	@$(AS_ROOT) go run ./bench -ccee bin/ccee -images $(IMAGES) -out bench/results.json

fmt: ## format the Go files
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

clean: ## remove what was built here; images and data stay
	rm -rf bin dist .cache
