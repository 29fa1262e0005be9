#!/bin/sh
# Install from a mounted medium without asking, and place a call. The same for Vagrant, for the
# virtual machine of `make vm-test` and for a server that is set up by a script.
set -eu
medium=${1:?usage: provision.sh MEDIUM [ANSWERS.toml]}
answers=${2:-}
if [ -n "$answers" ]; then
  "$medium/install" --lang en install --yes --answers "$answers"
else
  "$medium/install" --lang en install --yes
fi
lingting canary --patience 120
