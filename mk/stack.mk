# One machine: `make up`, and the story told by two browsers. tools/stackctl --help says more.
#   DETACH=1             come back when all is ready
#   STACK_DIR=…          keep the stack elsewhere than in build/stack
#   GATEWAY_PORT=…       likewise LIVEKIT_PORT, LIVEKIT_UDP_PORT, POSTGRES_PORT, NATS_PORT

STACK_DIR ?= build/stack
STACK := tools/stackctl --dir '$(STACK_DIR)'
DEMO_READY := tools/demo/node_modules/.package-lock.json

.PHONY: up down reset status logs livekit demo test-e2e
up: ## build and start everything on loopback, follow the logs; Ctrl-C ends it (DETACH=1)
	@exec $(STACK) up --build --with-visits --variant $(VARIANT) $(if $(filter 1,$(DETACH)),--detach)
down: ## end what `make up` started; the data stay
	@$(STACK) down
reset: ## end it and clear its data
	@$(STACK) reset
status: ## what runs, what does not, and why
	@$(STACK) status || true
logs: ## follow the logs of a stack that runs
	@exec $(STACK) logs
livekit: ## build the LiveKit server (once; `make up` does it when needed)
	@tools/livekit.sh

# npm ci checks each package against the hash in package-lock.json.
$(DEMO_READY): tools/demo/package.json tools/demo/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: run make deps" >&2; exit 1; }
	@cd tools/demo && npm ci --silent
	@touch $@
.PHONY: node-modules
node-modules: $(DEMO_READY)
demo: demo-deps $(DEMO_READY) ## the whole story with two browsers (DEMO="--notifiers 2 --kill-notifier")
	@node tools/demo/demo.mjs $(DEMO)
.PHONY: demo-deps
demo-deps: # the browser as well
	@tools/deps.sh build run media
test-e2e: demo-deps node-modules ## the stack, media and the story, each test on a stack of its own
	@$(PYTHON) -B -m unittest discover -s tests/e2e -p 'test_*.py'
	@node --test tests/e2e/
