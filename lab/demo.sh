#!/usr/bin/env bash
# etcd over three clusters before your eyes: lab up, site.yml, and a key that crosses clusters.
set -euo pipefail
inventory=/var/lib/kubeblocks-lab/lab/inventory

lab up
ansible-playbook -i "$inventory" playbooks/site.yml
python -m lab.crossing --name lab
ansible-playbook -i "$inventory" playbooks/endpoints.yml
echo "The lab runs on. Look at it: eval \"\$(.venv/bin/lab env)\"; kubectl get nodes.  Take it away: make down"
