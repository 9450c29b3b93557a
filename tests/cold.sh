#!/usr/bin/env bash
# make test in a fresh clone with HOME and every cache in an empty folder, as on a machine that has seen nothing.
set -euo pipefail

work=$(mktemp -d "${TMPDIR:-/var/tmp}/cold.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
git clone --quiet . "$work/main"
cd "$work/main"

echo "cold: system packages of the lab that this machine has already:"
python3 - <<'PYTHON'
import re
from pathlib import Path

table = re.search(r"PACKAGES = \{(.*?)\n\}", Path("lab/system.py").read_text(), re.S).group(1)
for name, proof in re.findall(r'"([^"]+)": "([^"]+)"', table):
    print(f"  {name}: {'present' if Path(proof).exists() else 'will be installed'}")
PYTHON

started=$SECONDS
env --unset=PYTHONPATH --unset=ANSIBLE_COLLECTIONS_PATH --unset=VIRTUAL_ENV \
  HOME="$work/home" GOPATH="$work/go" GOMODCACHE="$work/go/mod" GOCACHE="$work/go/cache" \
  PIP_CACHE_DIR="$work/pip" XDG_CACHE_HOME="$work/cache" KUBEBLOCKS_LAB_CACHE="$work/lab" ANSIBLE_HOME="$work/ansible" \
  bash -c 'mkdir -p "$HOME" && git config --global user.email cold@example.invalid && git config --global user.name cold && make test'
echo "cold: make test took $((SECONDS - started)) s"
