"""The lab: real Kubernetes clusters on one machine, for people who develop and test this collection."""
