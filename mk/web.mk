# The web app: types from openapi.json, one production build in build/web, tests and form.

WEB_MODULES := web/node_modules/.package-lock.json
WEB_TYPES := web/src/api/schema.d.ts
WEB_OUT := build/web/index.html
WEB_BIN := web/node_modules/.bin
WEB_SOURCES = $(shell find web/src web/public web/build web/index.html web/vite.config.ts \
    web/tsconfig.json -type f ! -name '*.test.ts*' 2>/dev/null)
# mk/quality.mk makes it, and with it every package of tools/node.
WEB_TOOLS := tools/node/node_modules/.bin/redocly
# A Node that is new enough, before that of PATH.
WITH_NODE = PATH="$$(tools/node.sh):$$PATH"

# npm ci checks each package against the hash in package-lock.json.
$(WEB_MODULES): web/package.json web/package-lock.json
	@$(WITH_NODE); cd web && npm ci --silent
	@touch $@

$(WEB_TYPES): $(API_STAMP) $(WEB_MODULES)
	@$(WITH_NODE); $(WEB_BIN)/openapi-typescript $(GEN)/openapi.json -o $@ --root-types \
	    --root-types-no-schema-prefix >/dev/null
	@touch $@

# A gateway that starts meanwhile, or runs from the old files, sees one whole build or the other.
$(WEB_OUT): $(WEB_MODULES) $(WEB_TYPES) $(WEB_SOURCES)
	@echo "  web build/web"
	@rm -rf build/web.new build/web.old
	@$(WITH_NODE); cd web && node_modules/.bin/vite build --logLevel warn --outDir ../build/web.new
	@if [ -e build/web ]; then mv build/web build/web.old; fi
	@mv build/web.new build/web && rm -rf build/web.old
	@touch $@

.PHONY: web
web: $(WEB_OUT) ## the production build of the web app, in build/web

.PHONY: web-dev
web-dev: $(WEB_MODULES) $(WEB_TYPES) ## the web app with hot reload, beside a `make up` (GATEWAY=url)
	@$(WITH_NODE); cd web && exec node_modules/.bin/vite

.PHONY: test-web
test-web: $(WEB_MODULES) $(WEB_TYPES) ## unit tests of the web app
	@$(WITH_NODE); $(RUN_TESTS) web

.PHONY: web-deps
web-deps: $(WEB_MODULES) $(WEB_TYPES) # what its compilers and linters need

.PHONY: lint-web lint-web-types lint-web-rules lint-web-form
lint-web: lint-web-rules lint-web-types lint-web-form ## types, ESLint and Prettier
lint-web-rules: $(WEB_MODULES) $(WEB_TYPES)
	@$(WITH_NODE); cd web && node_modules/.bin/eslint .
lint-web-types: $(WEB_MODULES) $(WEB_TYPES)
	@$(WITH_NODE); cd web && node_modules/.bin/tsc --noEmit
lint-web-form: $(WEB_MODULES) $(WEB_TYPES)
	@$(WITH_NODE); cd web && node_modules/.bin/prettier --check --log-level warn .

.PHONY: format-web
format-web: $(WEB_MODULES) ## write the web app as Prettier does
	@$(WITH_NODE); cd web && node_modules/.bin/prettier --write --log-level warn .

.PHONY: shots
shots: deps livekit node-modules web ## pictures of every screen, phone and desktop, in build/shots
	@$(MAKE) --no-print-directory VARIANT=release all
	@$(WITH_NODE); VARIANT=release node tools/shots.mjs

.PHONY: lighthouse
lighthouse: deps livekit node-modules web $(WEB_TOOLS) ## Lighthouse on the patient's home, with its scores
	@$(MAKE) --no-print-directory VARIANT=release all
	@$(WITH_NODE); VARIANT=release node tools/lighthouse.mjs
