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
lab-tests() { pytest -q tests/lab; }
module-tests() { pytest -q tests/integration; }
molecule() { bash tests/molecule.sh; }
e2e() { pytest -q tests/e2e; }
# Real Cilium: built for this alone, and its lab is one without a network.
mesh() { lab build --network cilium && pytest -q tests/e2e/test_mesh*.py; }
# The same in two halves: tests that share one lab, and tests that make a lab of their own.
e2e-shared() { pytest -q tests/e2e/test_[1-47]_*.py; }
e2e-alone() { pytest -q tests/e2e/test_[05689]_*.py; }
killed() { pytest -q -s tests/soak/test_killed.py; }
soak() { pytest -q -s tests/soak/test_soak.py; }
build() { lab build; }

# Stages that mostly wait for clusters share the time: "one+other" shows one as it goes, and the other when both ended.
together() {
  local first=$1 second=$2 log one other failed=0
  log=$(mktemp)
  ("$second") >"$log" 2>&1 &
  other=$!
  ("$first") & # in the background too: where a failure is asked for with ||, it would not end the stage
  one=$!
  wait "$one" || failed=1
  wait "$other" || failed=1
  echo "=== $second, at the same time"
  cat "$log"
  rm "$log"
  return "$failed"
}

stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(lint unit sanity build lab-tests mesh molecule+module-tests e2e-alone+e2e-shared)
for stage in "${stages[@]}"; do
  echo "=== $stage"
  started=$SECONDS
  if [[ $stage == *+* ]]; then
    together "${stage%+*}" "${stage#*+}"
  else
    "$stage"
  fi
  # Nothing comes after the last runner's own closing line.
  [ "$stage" = "${stages[-1]}" ] || echo "=== $stage took $((SECONDS - started)) s"
done
