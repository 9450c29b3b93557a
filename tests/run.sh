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
  (cd "$tree" && mypy --config-file "$OLDPWD/pyproject.toml" -p ansible_collections.kubeblocks.multicluster.plugins)
  yamllint --strict .
  shellcheck_all
  (cd "$collection" && ansible-lint --offline --profile production)
  antsibull-changelog lint
}

shellcheck_all() {
  git ls-files '*.sh' .ci/run | while read -r script; do bash -n "$script"; done
}

sanity() { bash tests/sanity.sh; }
unit() { pytest -q tests/unit; }
lab-tests() { pytest -q tests/lab; }
module-tests() { pytest -q tests/integration; }
molecule() { bash tests/molecule.sh; }
e2e() { pytest -q tests/e2e; }
killed() { pytest -q tests/e2e/test_0_killed.py; }
soak() { pytest -q tests/soak; }
build() { lab build; }

stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(lint unit sanity build lab-tests module-tests molecule e2e)
for stage in "${stages[@]}"; do
  echo "=== $stage"
  started=$SECONDS
  "$stage"
  # Nothing comes after the last runner's own closing line.
  [ "$stage" = "${stages[-1]}" ] || echo "=== $stage took $((SECONDS - started)) s"
done
