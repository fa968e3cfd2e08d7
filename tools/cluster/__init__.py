"""A Kubernetes of several nodes on one machine, for the test of the chart (docs/CLUSTER.md)."""
