#!/usr/bin/env bash
# Stops exactly the processes recorded in $LAB_DIR/pids, at once: their state is thrown away.
set -euo pipefail
. "$(dirname "$0")/home.sh"
[ -e "$LAB_DIR/pids" ] || { echo "down: nothing recorded in $LAB_DIR"; exit 0; }
while read -r pid _; do
  # A pid may belong to another process by now: ours were all started in $LAB_DIR.
  [ "$(readlink "/proc/$pid/cwd" 2> /dev/null)" = "$(readlink -f "$LAB_DIR")" ] || continue
  kill -KILL "$pid" 2> /dev/null || true
done < "$LAB_DIR/pids"
# What the node leaves: links (sockets half closed keep the namespace for a while) and empty cgroups.
if [ -e "$LAB_DIR/links" ]; then
  while read -r name; do ip link del "$name" 2> /dev/null || true; done < "$LAB_DIR/links"
fi
if [ -e "$LAB_DIR/cgroups" ]; then
  mapfile -t dirs < "$LAB_DIR/cgroups"
  for _ in $(seq 50); do # they empty a moment after the last process
    find "${dirs[@]}" -depth -type d -delete 2> /dev/null || true
    [ -n "$(ls -d "${dirs[@]}" 2> /dev/null || true)" ] || break
    sleep 0.1
  done
fi
rm -f "$LAB_DIR/pids"
