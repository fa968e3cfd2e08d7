# The chart: packaged with what is generated for it, and checked without a cluster. What it
# takes: make deps DEPS="build test cluster"; tools come into build/tools/chart, once.

CHART_SRC := deploy/k8s/televisit
CHART_DIR := build/chart/televisit
CHART_TGZ := build/chart/televisit-$(VERSION).tgz
CHART_TOOLS := build/tools/chart
CHART_GENERATED := $(GEN)/nats-accounts.conf

CHART_TOOLS_SH := PYTHON=$(PYTHON) tools/chart/tools.sh
CHART_CHECK := $(PYTHON) tools/chart/check

# A copy, so that the sources hold nothing that is made.
.PHONY: chart
chart: gen ## package the chart: build/chart/televisit-VERSION.tgz
	@$(CHART_TOOLS_SH) helm4
	@rm -rf build/chart
	@mkdir -p build/chart
	@cp -R $(CHART_SRC) $(CHART_DIR)
	@cp $(CHART_GENERATED) $(CHART_DIR)/files/
	@sed -i -e 's/^version:.*/version: $(VERSION)/; s/^appVersion:.*/appVersion: "$(VERSION)"/' \
	    -e 's,\(image: televisit/[a-z-]*\):.*,\1:$(VERSION),' $(CHART_DIR)/Chart.yaml
	@$(CHART_TOOLS)/helm4 package --destination build/chart $(CHART_DIR) >/dev/null
	@echo "written: $(CHART_TGZ)"

# The services are asked for the configuration that they know. CHECKS="rules schemas": some checks.
CHECKS ?=
.PHONY: check-chart
check-chart: chart ## all that can be said about the chart without a cluster (CHECKS="rules": some)
	@$(CHART_TOOLS_SH)
	@$(SUB_MAKE) VARIANT=release all
	@$(CHART_CHECK) $(CHECKS)

.PHONY: test-chart
test-chart: chart ## check-chart finds what is planted in a copy of the chart
	@$(CHART_TOOLS_SH)
	@$(SUB_MAKE) VARIANT=release all
	@$(PYTHON) -B -m unittest -v tests/chart/test_check.py

.PHONY: chart-snapshots
chart-snapshots: chart ## write what the chart renders to tests/chart/snapshots
	@$(CHART_CHECK) --snapshots
