# The chart in a real Kubernetes on this machine (docs/CLUSTER.md). Needs root; not part of
# `make test`.
#   CLUSTER=--keep    leave the cluster there

CLUSTER ?=
NEXT_VERSION := $(VERSION)-next
CLUSTER_IMAGES := gateway appointments tokens notifier

.PHONY: cluster-tools
cluster-tools: # Kubernetes itself, and helm
	@tools/cluster/build.sh
	@PYTHON=$(PYTHON) tools/chart/tools.sh helm3 helm4

.PHONY: test-cluster
test-cluster: cluster-tools ## the chart in a real Kubernetes (root; the first time half an hour)
	@$(MAKE) --no-print-directory images VERSION=$(NEXT_VERSION) \
	    IMAGES="$(CLUSTER_IMAGES)"
	@$(MAKE) --no-print-directory images chart IMAGES=
	@$(PYTHON) -B -m unittest -v tests/cluster/test_cluster.py
	@VERSION=$(VERSION) NEXT_VERSION=$(NEXT_VERSION) tools/cluster/cluster within $(CLUSTER) \
	    $$(printf -- '--image %s ' build/images/*-$(VERSION).tar \
	    $(CLUSTER_IMAGES:%=build/images/%-$(NEXT_VERSION).tar)) \
	    -- $(PYTHON) -B -m unittest -v tests/cluster/test_chart.py
