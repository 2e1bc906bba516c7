.DEFAULT_GOAL := help
.PHONY: help test race crash lint bench bench-against fuzz cover ci

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

test: ## run all tests; no server, no network
	go test ./...

race: ## run all tests under the race detector, in random order
	go test -race -shuffle=on ./...

crash: ## kill a process 300 times, and check what it has moved
	go run ./internal/crash -kills 300

lint: ## vet, staticcheck and golangci-lint
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run

bench: ## compare with hand-written loops; fails below 0.8 of a goal
	go run ./internal/bench

bench-against: ## compare with another commit: make bench-against REF=v1.0.0
	go run ./internal/bench/against -ref $(REF)

fuzz: ## run every fuzz test for half a minute
	@go list -f '{{.Dir}}' ./... | while read -r d; do \
		grep -ho '^func Fuzz[A-Za-z0-9_]*' "$$d"/*_test.go 2>/dev/null | sed 's/func //' | while read -r f; do \
			echo "$$d $$f"; (cd "$$d" && go test -run '^$$' -fuzz "^$$f$$" -fuzztime 30s .) || exit 1; \
		done || exit 1; \
	done

cover: ## write and summarise the coverage of all packages by all tests
	go test -coverpkg=./... -coverprofile=cover.out ./...
	go tool cover -func=cover.out | tail -n 1

ci: ## what CI runs
	.ci/run
