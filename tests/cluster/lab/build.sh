#!/usr/bin/env bash
# Builds what the lab runs into $LAB_HOME, from the Go module proxy alone, and skips what is
# there. Usage: build.sh [control|kwok|node]...   (default: all)
# The first time takes about ten minutes of two cores; afterwards nothing.
# Needs Go (the version in gomod/*/go.mod or newer). "node" also needs the packages that
# `.ci/install-deps cluster` installs.
set -euo pipefail
. "$(dirname "$0")/home.sh"
cd "$lab"
BIN=$LAB_HOME/bin
mkdir -p "$BIN" "$LAB_HOME/share"
export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false" GOBIN=$BIN GOWORK=off

missing() { local b; for b in "$@"; do [ -x "$BIN/$b" ] || return 0; done; return 1; }
timed() { local t=$SECONDS; echo "lab: $*" | cut -c1-160 >&2; "$@"; echo "lab: took $((SECONDS - t)) s" >&2; }
go_needed() {
  local have want=1.26
  have=$(go env GOVERSION 2> /dev/null | sed 's/^go//') || true
  [ -n "$have" ] && [ "$(printf '%s\n' "$want" "$have" | sort -V | head -n1)" = "$want" ] ||
    { echo "lab: building the cluster needs Go $want or newer (found: ${have:-none}); see https://go.dev/doc/install" >&2; exit 1; }
}
# A build that is interrupted must not leave a half-written program that counts as there:
# everything is built beside its place and moved into it.
build() { # build GO_BUILD_ARGUMENTS... (everything lands in a fresh folder, then in $BIN)
  go_needed
  local to; to=$(mktemp -d "$LAB_HOME/build.XXXXXX")
  timed go build -o "$to/" "$@" || { rm -rf "$to"; return 1; }
  mv "$to"/* "$BIN/"; rmdir "$to"
}
kubernetes() { # one "go build" for all the named commands: shared packages are compiled once
  missing "$@" || return 0
  local v=k8s.io/component-base/version minor=${KUBERNETES#v1.}
  local x="-X $v.gitVersion=$KUBERNETES -X $v.gitMajor=1 -X $v.gitMinor=${minor%%.*} -X $v.gitTreeState=clean"
  x+=" -X $v.gitCommit=0000000000000000000000000000000000000000 -X $v.buildDate=1970-01-01T00:00:00Z"
  (cd gomod/kubernetes && build -ldflags "-s -w $x" "${@/#/k8s.io/kubernetes/cmd/}")
}
install() { # install NAME PACKAGE@VERSION [LDFLAGS]
  missing "$1" || return 0
  go_needed
  local to; to=$(mktemp -d "$LAB_HOME/build.XXXXXX")
  GOBIN=$to timed go install -ldflags "-s -w ${3:-}" "$2" || { rm -rf "$to"; return 1; }
  mv "$to"/* "$BIN/"; rmdir "$to"
}

control() {
  kubernetes kube-apiserver kube-controller-manager kube-scheduler kubectl
  if missing etcd; then
    # The package is called v3 after its module; the program is etcd.
    (cd gomod/etcd && build -ldflags "-s -w" go.etcd.io/etcd/server/v3)
    [ ! -e "$BIN/v3" ] || mv "$BIN/v3" "$BIN/etcd"
    [ ! -e "$BIN/server" ] || mv "$BIN/server" "$BIN/etcd"
  fi
}
kwok() {
  install kwok "sigs.k8s.io/kwok/cmd/kwok@$KWOK"
  [ -s "$LAB_HOME/share/kwok-stages.yaml" ] && return
  # kwok does nothing without stages; its defaults lie in its source tree.
  go_needed
  local src f; src=$(go mod download -json "sigs.k8s.io/kwok@$KWOK" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  for f in node/fast/node-initialize node/heartbeat-with-lease/node-heartbeat-with-lease pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete; do
    echo ---; cat "$src/kustomize/stage/$f.yaml"
  done > "$LAB_HOME/share/kwok-stages.new"
  mv "$LAB_HOME/share/kwok-stages.new" "$LAB_HOME/share/kwok-stages.yaml"
}
node() {
  kubernetes kubelet kube-proxy
  local c=github.com/containerd/containerd/v2 b
  for b in containerd containerd-shim-runc-v2 ctr; do
    install $b "$c/cmd/$b@$CONTAINERD" "-X $c/version.Version=$CONTAINERD"
  done
}

[ $# -gt 0 ] || set -- control kwok node
for part in "$@"; do "$part"; done
