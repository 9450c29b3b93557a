#!/usr/bin/env bash
# ansible-test sanity, all tests, without a container: on a copy of what git tracks.
set -euo pipefail

pip_version=24.2 # the one that ansible-test asks for
cache=$HOME/.ansible/test/cache
mkdir -p "$cache"
[ -e "$cache/pip-$pip_version-py3-none-any.whl" ] ||
  python -m pip download --quiet --no-deps --dest "$cache" "pip==$pip_version"
# ansible-test would fetch its installer of pip from a server of its own; this one installs from the wheel beside it.
cat >"$cache/get_pip_${pip_version//./_}.py" <<'PYTHON'
import pathlib
import sys

sys.path.insert(0, str(next(pathlib.Path(__file__).parent.glob("pip-24.2-*.whl"))))
from pip._internal.cli.main import main

sys.exit(main(["install", *(word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel"))]))
PYTHON

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
target=$work/ansible_collections/kubeblocks/multicluster
mkdir -p "$target"
# What belongs to the collection: its own files, as git knows them, without the lab and its tests.
git ls-files --cached --others --exclude-standard -- . ':!lab' ':!tests' ':!bench' ':!molecule' ':!.ci' ':!.config' ':!inventories' |
  tar --files-from=- --create --file=- | tar --extract --file=- --directory="$target"
mkdir "$target/tests"
cp tests/config.yml "$target/tests/"
cd "$target"
git init --quiet . && git add --all
ansible-test sanity --local --color no --python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
