# The chart: packaged with what is generated for it, and checked without a cluster.

CHART_SRC := deploy/k8s/televisit
CHART_DIR := build/chart/televisit
CHART_TGZ := build/chart/televisit-$(VERSION).tgz
CHART_TOOLS := build/tools/chart
CHART_GENERATED := $(GEN)/nats-accounts.conf

.PHONY: chart-tools
chart-tools: ## helm, validators and schemas in build/tools/chart (once, about 5 minutes)
	@PYTHON=$(PYTHON) tools/chart/tools.sh

# A copy, so that the sources hold nothing that is made.
.PHONY: chart
chart: gen ## package the chart: build/chart/televisit-VERSION.tgz
	@PYTHON=$(PYTHON) tools/chart/tools.sh helm4
	@rm -rf build/chart
	@mkdir -p build/chart
	@cp -R $(CHART_SRC) $(CHART_DIR)
	@cp $(CHART_GENERATED) $(CHART_DIR)/files/
	@sed -i 's/^version:.*/version: $(VERSION)/; s/^appVersion:.*/appVersion: "$(VERSION)"/' \
	    $(CHART_DIR)/Chart.yaml
	@$(CHART_TOOLS)/helm4 package --destination build/chart $(CHART_DIR) >/dev/null
	@echo "written: $(CHART_TGZ)"
