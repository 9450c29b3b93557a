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
# These look at the whole machine: no other lab may run beside them.
lab-tests() { lab build && pytest -q tests/lab; }
module-tests() { pytest -q tests/integration; }
molecule() { bash tests/molecule.sh; }
e2e() { pytest -q tests/e2e; }
# Real Cilium: built for this alone, and its lab is one without a network.
mesh() { lab build --network cilium && pytest -q tests/e2e/test_mesh*.py; }
# The rest of e2e in parts, each with a lab of its own.
e2e-shared() { pytest -q tests/e2e/test_[1-47]_*.py; }
e2e-killed() { pytest -q tests/e2e/test_0_*.py; }
e2e-own() { pytest -q tests/e2e/test_5_*.py; }
e2e-balanced() { pytest -q tests/e2e/test_[689]_*.py; }
killed() { pytest -q -s tests/soak/test_killed.py; }
soak() { pytest -q -s tests/soak/test_soak.py; }

# Of the stages joined by "+", two run at once, in their order, the long ones first; and up to four while a quarter of the
# processors idles: a lab with its tests keeps two thirds of a core busy, or more on a slow machine, where one too many
# only makes all wait. What each said is shown when it has ended, its time first; once one failed, no other begins.
together() {
  local logs waiting running=0 at_once=2 failed=0 ended stage ticker=''
  local -A name=() began=()
  logs=$(mktemp --directory)
  IFS=+ read -ra waiting <<<"$1"
  while [ "$running" -gt 0 ] || { [ ${#waiting[@]} -gt 0 ] && [ "$failed" = 0 ]; }; do
    if [ ${#waiting[@]} -gt 0 ] && [ "$failed" = 0 ] && [ "$running" -lt "$at_once" ]; then
      stage=${waiting[0]} waiting=("${waiting[@]:1}")
      ("$stage") >"$logs/$stage" 2>&1 &
      name[$!]=$stage began[$!]=$SECONDS running=$((running + 1)) at_once=2
      echo "... $stage begins"
      continue
    fi
    [ -n "$ticker" ] || [ ${#waiting[@]} = 0 ] || { quarter_idles & ticker=$!; }
    wait -n -p ended && true
    case $?:$ended in
      0:"$ticker") ticker='' at_once=$((running < 4 ? running + 1 : 4)) && continue ;;
      *:"$ticker") ticker='' && continue ;;
      0:*) ;;
      *) failed=1 ;;
    esac
    running=$((running - 1))
    echo "=== ${name[$ended]} took $((SECONDS - began[$ended])) s"
    cat "$logs/${name[$ended]}"
  done
  [ -z "$ticker" ] || wait "$ticker" || true
  rm -r "$logs"
  return "$failed"
}

# Whether a quarter of all processors has idled for half a minute.
quarter_idles() {
  local -a before after
  local field all=0
  read -ra before </proc/stat
  sleep 30
  read -ra after </proc/stat
  for field in {1..8}; do all=$((all + after[field] - before[field])); done
  [ $((4 * (after[4] - before[4]))) -ge "$all" ]
}

stages=("$@")
[ ${#stages[@]} -gt 0 ] ||
  stages=(lint+unit+sanity+lab-tests e2e-balanced+mesh+module-tests+e2e-shared+molecule+e2e-killed+e2e-own)
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
