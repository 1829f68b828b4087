#!/usr/bin/env bash
# Takes a cgroup of its own in every hierarchy, then becomes node.sh (as pid 1) in new
# namespaces: nothing the node does reaches the host's mounts, network or cgroup roots,
# and killing this process (SIGKILL: unshare ignores SIGTERM) is pulling the plug.
set -euo pipefail
name=awlab-$LAB_PORT-$NODE
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
  mine=/sys/fs/cgroup/$name
  mkdir -p "$mine"
  echo $$ > "$mine/cgroup.procs"
  echo "$mine" >> "$LAB_DIR/cgroups"
else
  mapfile -t own < /proc/self/cgroup   # all at once: the loop changes what it says
  for line in "${own[@]}"; do
    IFS=: read -r _ names path <<< "$line"
    [ -n "$names" ] || continue
    dir=/sys/fs/cgroup/${names#name=}
    [ -d "$dir$path" ] || continue
    mine=$dir${path%/}/$name
    mkdir -p "$mine"
    if [ -e "$mine/cpuset.cpus" ]; then
      cat "$dir$path/cpuset.cpus" > "$mine/cpuset.cpus"; cat "$dir$path/cpuset.mems" > "$mine/cpuset.mems"
    fi
    echo $$ > "$mine/cgroup.procs"
    echo "$mine" >> "$LAB_DIR/cgroups"
  done
fi
exec unshare --fork --kill-child --pid --mount --net --uts --ipc --cgroup "$(dirname "$0")/node.sh"
