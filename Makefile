# What can be done here. "make" alone lists it; CONTRIBUTING.md tells more.

.DEFAULT_GOAL := help
SHELL := bash

# What may be said on the command line, as in: make fuzz FUZZTIME=10s
FUZZTIME  ?= 1m
FAULTTIME ?= 10m
FROM ?= auto
SEED      ?= 0
SUITE     ?=
TESTFLAGS ?=
CONFIG    ?=
DB        ?= sqlite:var/dex.db
ARGS      ?=

# The packages that read or write golden files: those whose tests know -update.
GOLDEN = $(shell grep -rlE --include='*_test.go' '"update"|dex/test/golden"' cmd internal web api test examples 2>/dev/null | xargs -r -n1 dirname | sort -u | sed 's,^,./,')

# The packages whose tests open a database, and the end-to-end tests, which start
# programs that do. dex/test/fault has servers of its own, and runs once.
DATABASE = $(shell go list -test -f '{{.ImportPath}} {{join .Deps " "}} ' ./... | sed -nE 's,^([^ ]+)\.test .*dex/internal/store .*,\1,p') \
	$(shell go list ./test/e2e/... 2>/dev/null)

# With the race detector on every package but those that are translated from C, or
# only calculate: they share nothing, and under the detector they would take four
# fifths of all the time.
RACE = -race $(foreach p,modernc.org/sqlite/lib modernc.org/libc golang.org/x/crypto/argon2 golang.org/x/crypto/blake2b,-gcflags=$(p)=-race=false)

# make check vets, and nobody debugs what these tests are built to. Tests are short of
# processors, not of memory: collecting it less often saves a fifth of their time.
TEST = GOGC=300 go test -vet=off -ldflags=-w -timeout 15m

# On PostgreSQL the detector is on where connections are shared: elsewhere it saw the
# same code on SQLite.
SHARING = dex/internal/store dex/test/acceptance

# The tests that let each call to the database fail, one after the other: there is no
# race in that, and much of it.
CALLS = EachCallFails

## run: dex with a demo application on http://127.0.0.1:5555, all in memory;
##      make run CONFIG=examples/dex.yaml keeps a database in ./var instead
.PHONY: run
run:
ifeq ($(CONFIG),)
	go run ./cmd/dex-worker --no-db $(ARGS)
else
	mkdir -p var
	go run ./cmd/dex-worker --config $(CONFIG) --db $(DB) $(ARGS)
endif

## stack: Postgres, three workers, an overlord and HAProxy on this machine, as in
##        production; it says where they are and how to log in
.PHONY: stack
stack:
	@test/setup system
	@mkdir -p .tools && go build -o .tools/stack ./test/stack
	@.tools/stack $(ARGS) start

## stack-stop: end it, and leave nothing
.PHONY: stack-stop
stack-stop:
	@mkdir -p .tools && go build -o .tools/stack ./test/stack
	@.tools/stack $(ARGS) stop

## test: every test on SQLite, with the race detector, and again on PostgreSQL, in the
##       browser and with foreign relying parties; installs what it needs
.PHONY: test
test: .tools/withpostgres
	@test/setup system
	@.tools/withpostgres -- $(MAKE) --no-print-directory test-here

## test-here: the same on the server in DEX_TEST_POSTGRES, and nothing installed
.PHONY: test-here
test-here:
	@echo '== Every package, on SQLite'
	@DEX_TEST_DB=sqlite DEX_TEST_RACE='$(RACE)' $(TEST) $(RACE) -skip $(CALLS) $(TESTFLAGS) ./...
	@DEX_TEST_DB=sqlite $(TEST) -run $(CALLS) $(TESTFLAGS) ./internal/app/worker ./internal/store
	@echo '== Every package with a database, on PostgreSQL'
	@DEX_TEST_DB=postgres $(TEST) $(RACE) -skip $(CALLS) $(TESTFLAGS) $(SHARING)
	@DEX_TEST_DB=postgres $(TEST) -run $(CALLS) $(TESTFLAGS) ./internal/store
	@DEX_TEST_DB=postgres $(TEST) $(TESTFLAGS) $(filter-out $(SHARING) dex/test/fault,$(sort $(DATABASE)))

## quick: every test that needs no other program, on SQLite, without the detector
.PHONY: quick
quick:
	go test -short $(TESTFLAGS) $$(go list ./... | grep -v '^dex/test/')

## check: format, vet, linter, the house's rules, and whether what is generated is
##        fresh
.PHONY: check
check:
	@test/setup linter
	@echo '== Format'
	@unformatted=$$(gofmt -l .); [[ -z $$unformatted ]] || { echo "gofmt -w $$unformatted"; exit 1; }
	@echo '== Vet'
	@go vet ./...
	@echo '== The control for tests'
	@$(TEST) -tags conformance -run Control ./internal/app/worker
	@echo '== Linter'
	@.tools/golangci-lint run
	@echo '== House'
	@go test -count=1 ./internal
	@echo '== Modules'
	@go mod tidy -diff
	@echo '== What is generated'
	@test/fresh

## golden: write the golden files anew; the diff is for you to read
.PHONY: golden
golden:
	@$(if $(strip $(GOLDEN)),go test -count=1 $(GOLDEN) -update,echo 'There are no golden files.')

## gen: everything that is generated: sources, references, golden files
.PHONY: gen
gen:
	@go generate ./...
	@$(MAKE) --no-print-directory golden

## docs: gen, and the screenshots in docs/images
.PHONY: docs
docs: gen
	DEX_SCREENSHOTS=$(CURDIR)/docs/images go test -count=1 -run Screenshot ./test/e2e/...

## e2e: the real programs in a real browser, and foreign relying parties
.PHONY: e2e
e2e: .tools/withpostgres
	@test/setup system
	.tools/withpostgres -- go test -count=1 -v -timeout 15m $(TESTFLAGS) ./test/e2e/... ./test/foreign/...

## fuzz: every fuzz target for FUZZTIME (1m), one after another
.PHONY: fuzz
fuzz:
	@test/fuzz $(FUZZTIME)

## fault: the real programs under load while processes, lines, disks and clocks fail,
##        each fault once and then at random for FAULTTIME (10m); SEED=… begins as
##        the run that printed it. Then an upgrade from FROM, the commit before the
##        last migration unless it says otherwise
.PHONY: fault
fault:
	@test/setup system
	go test -count=1 -v -timeout 0 ./test/fault -faulttime $(FAULTTIME) -seed $(SEED) -from $(FROM)

## conformance: the plans of a running conformance suite of the OpenID Foundation against
##              a dex of its own, as in make conformance SUITE=https://localhost.emobix.co.uk:8443;
##              ARGS='-plans ^oidcc-basic' runs some, ARGS=-list names them all
.PHONY: conformance
conformance:
	@go run ./test/conformance/run -suite '$(SUITE)' $(ARGS)

## bench: the budgets, on SQLite and on PostgreSQL, with the floor of the same run;
##        make bench ARGS=-quick for a first impression
.PHONY: bench
bench:
	@test/setup system
	go run ./bench/run $(ARGS)

## bench-scale: a million users beside a thousand, on PostgreSQL; ARGS='-part 20' is
##              quicker
.PHONY: bench-scale
bench-scale:
	@test/setup system
	go run ./bench/scale $(ARGS)

## build: the programs, for here, into ./bin
.PHONY: build
build:
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/ ./cmd/...

## setup: install what the tests and checks need beside Go
.PHONY: setup
setup:
	@test/setup

## clean: remove what was built and what make run kept
.PHONY: clean
clean:
	rm -rf bin var .tools test/foreign/node_modules

## help: this list
.PHONY: help
help:
	@sed -nE 's/^## ([a-z0-9-]+): (.*)/  \1\t\2/p; s/^##      *(.*)/\t\1/p' $(firstword $(MAKEFILE_LIST)) | awk -F'\t' '{printf "%-14s %s\n", $$1, $$2}'

# As a program of its own, not by go run, which would keep signals from it.
.PHONY: .tools/withpostgres
.tools/withpostgres:
	@mkdir -p .tools
	@go build -o $@ ./test/withpostgres
