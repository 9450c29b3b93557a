#!/usr/bin/env bash
# Make the checkout's virtual environment: setup.sh PYTHON VENV
set -euo pipefail
python=$1 venv=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "setup: $("$python" --version) is too old: Python 3.11 or newer is needed. Name one: make PYTHON=python3.11" >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: $python cannot make virtual environments. Install python3-venv, or run make as root" >&2
    exit 1
  fi
  apt-get update -q && apt-get install -y -q --no-install-recommends python3-venv
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
# What is imported is compiled then: most of the ansible package never is, and compiling it takes longer than the rest.
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-compile -r requirements-dev.txt
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-compile --no-deps --editable .
touch "$venv/.complete"
