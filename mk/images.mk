# Images of the services, built and tried without a daemon. What it takes: make deps DEPS=cluster
#   VERSION=1.2.3     another version than the Makefile's: its tag, and what the programs say
#   IMAGES="tokens …" only these
#   BASE=image        begin from this one instead of Debian's slim one

IMAGES ?=

.PHONY: images images-test
images: ## the images, as build/images/<name>.tar with their parts in <name>.cdx.json
	@deploy/images/build.sh $(VERSION) $(IMAGES)
images-test: images ## each image as a container: not root, read-only, ready; one visit through them
	@$(PYTHON) -B deploy/images/try.py $(VERSION)
