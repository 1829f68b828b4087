#!/usr/bin/env bash
# Runs a command inside the real node, for a look around: in-node.sh ctr -n k8s.io images ls
set -euo pipefail
. "$(dirname "$0")/home.sh"
PATH=$LAB_HOME/bin:$PATH
enter=$(awk '$2 == "node-1" {print $1}' "$LAB_DIR/pids")
exec nsenter --target "$(tr -d ' ' < "/proc/$enter/task/$enter/children")" --mount --net --pid --uts --ipc -- "$@"
