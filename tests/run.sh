#!/usr/bin/env bash
# Run the named stages, or all of them in order: cheap and telling first, the whole on real clusters last.
set -euo pipefail

tree=$PWD/.cache/tree
collection=$tree/ansible_collections/kubeblocks/multicluster
export PYTHONPATH=$tree

lint() {
  ruff check .
  ruff format --check .
  mypy lab tests/unit
  mypy bench
  (cd "$tree" && mypy --config-file "$OLDPWD/pyproject.toml" -p ansible_collections.kubeblocks.multicluster.plugins)
  yamllint --strict .
  shell_syntax
  (cd "$collection" && ansible-lint --offline --profile production)
  antsibull-changelog lint
  antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck "$collection"
}

shell_syntax() {
  git ls-files '*.sh' .ci/run | while read -r script; do bash -n "$script"; done
}

sanity() { bash tests/sanity.sh; }
unit() { pytest -q tests/unit; }
# These look at the whole machine: no other lab may run beside them. Those of a run that was killed have their ranges.
lab-tests() {
  lab build
  for name in mol tmesh; do lab --name "$name" down; done
  pytest -q tests/lab
}
module-tests() { pytest -q tests/integration; }
molecule() { bash tests/molecule.sh; }
e2e() { pytest -q tests/e2e; }
# Real Cilium: built for this alone, and its lab is one without a network.
mesh() { lab build --network cilium && pytest -q tests/e2e/test_mesh*.py; }
# The rest of e2e in parts, each with a lab of its own, and what takes longer than CI has time for apart.
longer() { pytest -q -m longer tests/e2e; }
e2e-shared() { pytest -q tests/e2e/test_[1-47]_*.py; }
e2e-killed() { pytest -q tests/e2e/test_0_*.py; }
e2e-own() { pytest -q tests/e2e/test_5_*.py; }
e2e-balanced() { pytest -q -m 'not longer' tests/e2e/test_[689]_*.py; }
killed() { pytest -q -s tests/soak/test_killed.py; }
soak() { pytest -q -s tests/soak/test_soak.py; }

# Of the stages joined by "+", two run at once for each processor, four at most, in their order, the long ones first: a
# lab with its tests keeps less than half of one busy, as most of its time goes by in waiting. What each said is shown
# when it has ended, its time first; once one failed, no other begins.
together() {
  local logs waiting running=0 failed=0 ended stage at_once
  local -A name=() began=()
  at_once=$(($(nproc) < 2 ? 2 : 4))
  logs=$(mktemp --directory)
  IFS=+ read -ra waiting <<<"$1"
  while [ "$running" -gt 0 ] || { [ ${#waiting[@]} -gt 0 ] && [ "$failed" = 0 ]; }; do
    if [ ${#waiting[@]} -gt 0 ] && [ "$failed" = 0 ] && [ "$running" -lt "$at_once" ]; then
      stage=${waiting[0]} waiting=("${waiting[@]:1}")
      ("$stage") >"$logs/$stage" 2>&1 &
      name[$!]=$stage began[$!]=$SECONDS running=$((running + 1))
      echo "... $stage begins"
      continue
    fi
    wait -n -p ended || failed=1
    running=$((running - 1))
    echo "=== ${name[$ended]} took $((SECONDS - began[$ended])) s"
    cat "$logs/${name[$ended]}"
  done
  rm -r "$logs"
  return "$failed"
}

stages=("$@")
[ ${#stages[@]} -gt 0 ] ||
  stages=(lint+sanity+lab-tests unit+e2e-balanced+mesh+module-tests+e2e-shared+molecule+e2e-killed+e2e-own)
for stage in "${stages[@]}"; do
  if [[ $stage == *+* ]]; then
    together "$stage"
    continue
  fi
  echo "=== $stage"
  started=$SECONDS
  "$stage"
  # Nothing comes after the last runner's own closing line.
  [ "$stage" = "${stages[-1]}" ] || echo "=== $stage took $((SECONDS - started)) s"
done
