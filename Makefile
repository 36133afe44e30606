# Every target says what it does; `make` alone lists them.
.DEFAULT_GOAL := help
PY := python3

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: ## Set up what is missing and start the gateway and every service
	@$(PY) scripts/setup.py run
	@exec .venv/bin/firebreak up

setup: ## Set up everything that tests and development need
	@$(PY) scripts/setup.py dev

tools: ## Install the programs that only development needs (OPA, Helm, promtool, Redis, PostgreSQL, gRPC's interop programs)
	@$(PY) scripts/tools.py

test: setup ## Run all tests; those that need a program which cannot be installed here say so
	@$(PY) scripts/tools.py || [ "$$FIREBREAK_TOOLS" != required ]
	@.venv/bin/python -m pytest -q -rs -n auto tests/unit tests/property tests/charts
	@.venv/bin/python -m pytest -q -rs --ignore tests/unit --ignore tests/property --ignore tests/charts --ignore tests/cluster

check: setup tools ## Lint, types, layers, contract and policies
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@cd proto && ../.venv/bin/buf lint
	@.firebreak/tools/bin/opa check --strict --schema policies/schemas policies/firebreak
	@.firebreak/tools/bin/opa fmt --fail --list policies/firebreak
	@.firebreak/tools/bin/opa check --strict tests/charts/policy
	@.firebreak/tools/bin/opa fmt --fail --list tests/charts/policy
	@.firebreak/tools/bin/opa test tests/charts/policy
	@.venv/bin/python -m pytest -q -rs tests/charts/test_lint.py

charts: tools ## Put into each chart the charts that it depends on, from this repository
	@scripts/charts

standard: setup ## LangChain's standard suites on local objects and their proxies, as a table
	@.venv/bin/python -m tests.standard

bench: setup tools ## Measure what the gateway costs beside a bare proxy, how fast the journal is, and what replicas answer
	@.venv/bin/python -m bench.gateway
	@.venv/bin/python -m bench.journal
	@.venv/bin/python -m bench.replicas

gameday: setup ## Cause every fault of the list on a private instance, under load, and print the scorecard
	@.venv/bin/firebreak gameday

cluster: setup tools ## Install the charts in a real Kubernetes of one node, here, and break things in it; as root, first time 35 min
	@.venv/bin/python -m pytest -q -rs -s tests/cluster

lock: ## Compile every lock again after a requirement changed
	@scripts/lock

clean: ## Remove environments, generated code and state, the journal too
	rm -rf .venv .firebreak proto/firebreak/v1/*_pb2* .hypothesis .mypy_cache .ruff_cache

.PHONY: help run setup tools test check standard bench gameday cluster lock clean charts
