# Sourced: where things are. Everything the lab keeps lies in the user's cache folder, in one
# folder per set of versions; everything a running lab writes lies in $LAB_DIR.
lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$lab/versions.sh"
cache=${XDG_CACHE_HOME:-${HOME:?"HOME is not set"}/.cache}/afterwatch/lab
export LAB_HOME=${LAB_HOME:-$cache/kubernetes-$KUBERNETES-etcd-$ETCD-kwok-$KWOK-containerd-$CONTAINERD}
export LAB_DIR=${LAB_DIR:-/tmp/afterwatch-lab}
CONTROL=(kube-apiserver kube-controller-manager kube-scheduler kubectl etcd)
NODE_BINARIES=(kubelet kube-proxy containerd containerd-shim-runc-v2 ctr)

real_node_possible() { # says why not on stderr
  [ "$(uname -s)" = Linux ] || { echo "a real node needs Linux" >&2; return 1; }
  [ "$(id -u)" = 0 ] || { echo "a real node needs root" >&2; return 1; }
  unshare --fork --pid --mount --net --uts --ipc --cgroup true 2> /dev/null ||
    { echo "a real node needs namespaces of its own, which this machine does not allow" >&2; return 1; }
  local probe=aw-probe$$
  { ip link add "$probe" type bridge && ip link del "$probe"; } 2> /dev/null ||
    { echo "a real node needs a network bridge, which this kernel does not allow" >&2; return 1; }
}
