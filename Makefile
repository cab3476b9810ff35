# make help lists the targets. Every target does its own set-up on a bare Debian 12 with Go >= 1.26.
SHELL := /bin/bash
# A folder of face models; its README is the contract. Without one faces are not checked.
export FACE_MODELS ?= $(abspath $(firstword $(wildcard ../shared/models)))
GOLANGCI := .cache/golangci-lint
GOLANGCI_VERSION := v2.15.0
NFPM := .cache/nfpm
NFPM_VERSION := v2.43.4
S3SERVER := .cache/versitygw
S3SERVER_VERSION := v1.8.0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X madoguchi/daemon/kiosk.Version=$(VERSION)
TEST_TIMEOUT := 20m

.PHONY: help setup build deb deb-test run test check unit race fuzz bench golden generate fmt lint clean screenshots

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

setup: ## install what is missing (apt-packages.txt)
	@packaging/setup.sh

build: setup ## build bin/{kioskd,hqd,kioskctl}
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./daemon/kioskd ./daemon/hqd ./daemon/kioskctl

run: build ## kiosk and HQ on loopback; DEVICES=virtual (default) or real; Ctrl-C ends all
	@packaging/run.sh

test: build fmtcheck generated $(S3SERVER)-$(S3SERVER_VERSION) ## everything
	go vet ./...
	CGO_ENABLED=0 go build ./...
	go test -timeout $(TEST_TIMEOUT) ./...

check: setup fmtcheck generated unit lint ## the fast loop: format, generate-is-clean, vet, unit tests, lint
	go vet ./...

unit: ## tests that need neither browser, pcscd nor models
	go test -short ./...

.PHONY: fmtcheck generated
fmtcheck:
	@out=$$(git ls-files '*.go' | grep -v '_templ.go$$' | xargs go tool gofumpt -l); \
	if [ -n "$$out" ]; then echo "not formatted (make fmt):"; echo "$$out"; exit 1; fi

generated: ## templates are generated and committed
	@before=$$(git ls-files -s -m -o --exclude-standard '*_templ.go' | sha256sum; cat $$(git ls-files '*_templ.go') | sha256sum); \
	go tool templ generate -log-level error; \
	after=$$(git ls-files -s -m -o --exclude-standard '*_templ.go' | sha256sum; cat $$(git ls-files '*_templ.go') | sha256sum); \
	if [ "$$before" != "$$after" ]; then echo "generated templates were not up to date; commit them"; exit 1; fi

generate: ## make the templates
	go tool templ generate

fmt: ## format
	git ls-files '*.go' | grep -v '_templ.go$$' | xargs go tool gofumpt -w

lint: $(GOLANGCI)-$(GOLANGCI_VERSION) ## golangci-lint at its pinned version (built from source once, about 2 minutes)
	$(GOLANGCI)-$(GOLANGCI_VERSION) run ./...

$(GOLANGCI)-$(GOLANGCI_VERSION):
	@mkdir -p .cache
	GOBIN=$(abspath .cache) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv .cache/golangci-lint $@

DEBS ?= kiosk hq face-models
deb: setup $(NFPM)-$(NFPM_VERSION) ## Debian packages in dist/, the same bits from the same commit; DEBS='kiosk hq' without models
	NFPM=$(abspath $(NFPM)-$(NFPM_VERSION)) packaging/build-deb.sh $(DEBS)

deb-test: setup $(NFPM)-$(NFPM_VERSION) ## packages: same bits, lintian, baseline, install/upgrade/remove/purge in a throw-away root (needs root)
	go test -count 1 -timeout $(TEST_TIMEOUT) -v ./packaging

$(NFPM)-$(NFPM_VERSION):
	@mkdir -p .cache
	GOBIN=$(abspath .cache) go install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)
	mv $(NFPM) $@

# The S3 server that judges ours in tests: built from source once, about 2 minutes; it is no dependency of the product.
.PHONY: .cache/versitygw
.cache/versitygw: $(S3SERVER)-$(S3SERVER_VERSION)

$(S3SERVER)-$(S3SERVER_VERSION):
	@mkdir -p .cache
	GOBIN=$(abspath .cache) go install github.com/versity/versitygw/cmd/versitygw@$(S3SERVER_VERSION)
	mv .cache/versitygw $@

race: setup ## the race detector over everything but the browser tests
	go test -race -short ./...

T ?= 30s
fuzz: setup ## every fuzz target for T=30s
	@for p in $$(go list ./...); do \
		dir=$$(go list -f '{{.Dir}}' $$p); \
		for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go 2>/dev/null | sed 's/func //'); do \
			echo "== $$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(T) $$p || exit 1; \
		done; \
	done

N ?= 3000
torture: setup ## N random histories of the outbox (power cuts, kills, disk and HQ faults); a failing seed: TORTURE_SEED=...
	TORTURE=$(N) go test -count 1 -timeout 24h -run TestOutbox ./daemon/torture

BENCHES := CardToScreen|CardBudget|InProcess|PCSC|Detect|Template|Liveness|Judge|JP2Decode|CardDecode|Push|Build|Seal|DurableEnqueue|ReadyWithBacklog|AuditAppend|UploadRoundTrip|UploadWire|IngestPostgres
bench: build ## the figures: card placed -> attributes shown, match stages, push latency, durable enqueue
	@for p in ./daemon/e2e ./hardware/card ./hardware/hardwaretest ./face/... ./ui/hub ./storage/... ./daemon/hqd; do \
		go test -run '^$$' -bench '$(BENCHES)' -benchtime 20x -timeout $(TEST_TIMEOUT) $$p | grep -E '^(pkg:|cpu:|Benchmark|FAIL|---|panic)' || true; done

golden: ## rewrite golden files after a change on purpose
	go test ./ui/page -update

SHOTS := $(abspath .cache/screenshots)
screenshots: setup ## pictures of every screen into .cache/screenshots, and those of the README into docs/screens
	SCREENSHOTS=$(SHOTS) go test -count 1 -timeout $(TEST_TIMEOUT) -run Screens ./ui/hub
	SCREENSHOTS=$(SHOTS) go test -count 1 -timeout $(TEST_TIMEOUT) -run TestEveryVirtualPerson ./daemon/e2e
	mkdir -p docs/screens
	for s in idle sato-review sato-face sato-result ito-staff; do cp $(SHOTS)/e2e-$$s.png docs/screens/$$s.png; done
	chmod 644 docs/screens/*.png

clean: ## remove what was built
	rm -rf bin dist .run .cache
