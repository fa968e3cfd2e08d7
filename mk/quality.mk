# What keeps the house in order: packages, form, lint, the API document, another Debian.

DEPS ?=
REDOCLY_DIR := tools/node
REDOCLY := $(REDOCLY_DIR)/node_modules/.bin/redocly
C_FILES = $(shell git ls-files -co --exclude-standard '*.c' '*.h')

.PHONY: deps
deps: ## install the Debian packages that are missing (DEPS="build run test media")
	@tools/deps.sh $(DEPS)

.PHONY: format
format: ## write all C as .clang-format says
	@clang-format -i $(C_FILES)

.PHONY: lint
lint: ## layers, banned functions, sizes, form, docs, shell (RULES="layers form")
	@$(PYTHON) tools/lint.py $(RULES)

# npm ci checks each package against the hash in package-lock.json.
$(REDOCLY): $(REDOCLY_DIR)/package.json $(REDOCLY_DIR)/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: run make deps" >&2; exit 1; }
	@cd $(REDOCLY_DIR) && npm ci --silent
	@touch $@

.PHONY: lint-openapi
lint-openapi: $(REDOCLY) $(API_STAMP) ## openapi.json against the rules of redocly
	@REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(REDOCLY) lint \
	    --config $(REDOCLY_DIR)/redocly.yaml $(GEN)/openapi.json

.PHONY: test-tools
test-tools: ## tests of the generators and of lint
	@$(PYTHON) -B -m unittest discover -s tests/tools -p 'test_*.py'

.PHONY: check-debian13
check-debian13: livekit ## build without a warning and run the unit tests on Debian 13 (root only)
	@tools/debian13.sh
