#!/usr/bin/env bash
# Starts a fresh cluster: up.sh [KWOK_NODES]   (default 2)
#   LAB_DIR   work folder, emptied first         (default /tmp/afterwatch-lab)
#   LAB_PORT  API server port; +1..+4 are used   (default: the first free of 26443, 27443, …)
#   LAB_NODE  real nodes: 1 or 0                 (default: 1 where root and the kernel allow it)
# The admin kubeconfig is $LAB_DIR/admin.kubeconfig; $LAB_DIR/layer reads "node" where
# containers really run and "kwok" where nodes are only pretended. down.sh stops it all.
set -euo pipefail
. "$(dirname "$0")/home.sh"
kwok_nodes=${1:-2}
PATH=$LAB_HOME/bin:$PATH
started=${EPOCHREALTIME/[.,]/}
say() { local ms=$(((${EPOCHREALTIME/[.,]/} - started) / 1000)); printf 'lab: %3d.%d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*"; }

for program in "${CONTROL[@]}" kwok; do
  [ -x "$LAB_HOME/bin/$program" ] || { echo "up: $program is missing in $LAB_HOME; run build.sh first" >&2; exit 1; }
done
if [ -n "${LAB_NODE:-}" ]; then real=$LAB_NODE; elif real_node_possible; then real=1; else real=0; fi

"$lab/down.sh" > /dev/null   # what a killed run may have left in this folder
port_taken() { (: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }
range_taken() { [ "$real" != 0 ] && [ -n "$(ip -4 route show to root "10.99.$1.0/24" 2> /dev/null)" ]; }
if [ -z "${LAB_PORT:-}" ]; then
  for LAB_PORT in {26..39}443; do
    range_taken $((LAB_PORT / 1000)) || for p in 0 1 2 3 4; do port_taken $((LAB_PORT + p)) && continue 2; done
    range_taken $((LAB_PORT / 1000)) || break
  done
fi
export LAB_PORT
rm -rf "$LAB_DIR"; mkdir -p "$LAB_DIR"/{pki,log}; chmod 700 "$LAB_DIR"; cd "$LAB_DIR"; : > pids

# --- certificates: one CA for clients, servers and the aggregation layer -----
. "$lab/pki.sh"

# --- control plane, on 127.0.0.1 ---------------------------------------------
spawn() { # spawn NAME COMMAND...
  setsid "${@:2}" > "log/$1.log" 2>&1 < /dev/null &
  echo "$! $1" >> pids
}
until_ok() { # until_ok SECONDS COMMAND...
  local end=$((SECONDS + $1)); shift
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { echo "up: gave up waiting for: $*; last words of each part:" >&2; tail -n 3 "$LAB_DIR"/log/*.log >&2; exit 1; }
    sleep 0.2
  done
}
etcd=http://127.0.0.1:$((LAB_PORT + 1)); peer=http://127.0.0.1:$((LAB_PORT + 2))
# --unsafe-no-fsync: a throw-away cluster may lose its data.
spawn etcd etcd --data-dir etcd --unsafe-no-fsync --listen-client-urls "$etcd" --advertise-client-urls "$etcd" \
  --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" --log-level warn
# The address of a loopback interface is refused for the endpoints of the Service "kubernetes".
if [ "$real" != 0 ]; then endpoint=(--advertise-address="$HOST_IP"); else endpoint=(--endpoint-reconciler-type=none); fi
spawn apiserver kube-apiserver --etcd-servers="$etcd" --bind-address=127.0.0.1 --secure-port="$LAB_PORT" "${endpoint[@]}" \
  --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key --client-ca-file=pki/ca.crt \
  --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=pki/sa.key --service-account-signing-key-file=pki/sa.key \
  --service-cluster-ip-range="$SERVICES.0/16" --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged \
  --kubelet-client-certificate=pki/admin.crt --kubelet-client-key=pki/admin.key --kubelet-preferred-address-types=InternalIP \
  --requestheader-client-ca-file=pki/ca.crt --requestheader-allowed-names=front-proxy --requestheader-username-headers=X-Remote-User \
  --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
  --proxy-client-cert-file=pki/front-proxy.crt --proxy-client-key-file=pki/front-proxy.key
# A controller gets its service account at --kube-api-qps, by default twenty a second.
spawn kcm kube-controller-manager --kubeconfig=kcm.kubeconfig --bind-address=127.0.0.1 --secure-port=$((LAB_PORT + 3)) --leader-elect=false \
  --kube-api-qps=200 --kube-api-burst=400 --use-service-account-credentials --service-account-private-key-file=pki/sa.key --root-ca-file=pki/ca.crt \
  --cluster-signing-cert-file=pki/ca.crt --cluster-signing-key-file=pki/ca.key --authentication-skip-lookup
spawn scheduler kube-scheduler --kubeconfig=scheduler.kubeconfig --bind-address=127.0.0.1 --secure-port=$((LAB_PORT + 4)) --leader-elect=false --kube-api-qps=200 --kube-api-burst=400 \
  --authentication-skip-lookup
export KUBECONFIG=$LAB_DIR/admin.kubeconfig
until_ok 120 kubectl get --raw /readyz
say "API server ready on port $LAB_PORT"
until_ok 60 kubectl get serviceaccount default -n default   # pods are refused before it exists
say "controllers at work"

# --- fake nodes --------------------------------------------------------------
if [ "$kwok_nodes" -gt 0 ]; then
  # kwok mends a node at once; one that carries this annotation is left as a case has made it.
  sed '/kind: Node/,/next:/s|^    matchExpressions:|&\n    - {key: '"'"'.metadata.annotations["afterwatch-lab/unwell"]'"'"', operator: DoesNotExist}|' \
    "$LAB_HOME/share/kwok-stages.yaml" > kwok-stages.yaml
  spawn kwok kwok --kubeconfig="$KUBECONFIG" --config=kwok-stages.yaml --node-lease-duration-seconds=40 \
    --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake
  # Beside a real node the fake ones are tainted: real pods stay off them.
  taint=; [ "$real" = 0 ] || taint='spec: {taints: [{key: kwok.x-k8s.io/node, value: fake, effect: NoSchedule}]}'
  for i in $(seq "$kwok_nodes"); do printf '%s\n' --- "apiVersion: v1" "kind: Node" \
    "metadata: {name: kwok-$i, annotations: {kwok.x-k8s.io/node: fake}, labels: {type: kwok, kubernetes.io/hostname: kwok-$i, kubernetes.io/os: linux}}" \
    "$taint" "status: {allocatable: {cpu: 32, memory: 256Gi, pods: 110}, capacity: {cpu: 32, memory: 256Gi, pods: 110}}"
  done | kubectl create -f - > /dev/null
  until_ok 120 kubectl wait --for=condition=Ready --timeout=60s node -l type=kwok
  say "$kwok_nodes KWOK nodes ready"
fi

# --- a real node -------------------------------------------------------------
if [ "$real" != 0 ]; then . "$lab/node-up.sh"; echo node > layer; else echo kwok > layer; fi
say "up: export KUBECONFIG=$KUBECONFIG"
