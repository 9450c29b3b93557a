#!/usr/bin/env bash
# Every scenario on one fresh lab, in the order of site.yml: each finds what the ones before it made.
set -euo pipefail

export KUBEBLOCKS_LAB=mol # the lab of .config/molecule/config.yml
export MOLECULE_COMMAND_BORDERS=0
# Molecule would have collections keep their scenarios in extensions/.
export MOLECULE_GLOB='molecule/*/molecule.yml'

[ -n "${KUBEBLOCKS_LAB_KEEP:-}" ] || trap 'lab down' EXIT
lab down
lab up --profile pods --range 5
for scenario in preflight data_plane data_plane_denied control_plane load_balancer etcd endpoints report failover; do
  started=$SECONDS
  molecule --base-config .config/molecule/config.yml test --scenario-name "$scenario"
  echo "--- scenario $scenario took $((SECONDS - started)) s"
done
