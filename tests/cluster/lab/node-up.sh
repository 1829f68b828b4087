# Sourced by up.sh: the real node node-1, in namespaces of its own, on a bridge with the host.
link=awlab-$LAB_PORT
ip link del "$link" 2> /dev/null || true
ip link add "$link" type bridge; ip addr add "$HOST_IP/24" dev "$link"; ip link set "$link" up
echo "$link" > links
# The API server itself listens on 127.0.0.1; this end is open to the node's bridge alone.
spawn api-forward socat "TCP-LISTEN:$LAB_PORT,bind=$HOST_IP,so-bindtodevice=$link,fork,reuseaddr" "TCP:127.0.0.1:$LAB_PORT"

start_node() { # start_node NUMBER
  local n=$1 name=node-$1 ip dir=$LAB_DIR/node-$1 veth=awl$LAB_PORT-$1
  ip=$(node_ip "$n")
  mkdir -p "$dir"/{kubelet,containerd,cni-state,log,cni,registry/_default,manifests}
  echo 'nameserver 127.0.0.1' > "$dir/resolv.conf"   # registry.py answers there: every outside name is unknown
  cert "$name" "/O=system:nodes/CN=system:node:$name"; kubeconfig "$name" "$name" "https://$HOST_IP:$LAB_PORT"
  cat > "$dir/cni/10-bridge.conflist" <<Y
{"cniVersion": "1.0.0", "name": "lab", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$(pod_cidr "$n")"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
Y
  # One local registry stands in for every public one. Names under .example are left to
  # themselves: they resolve nowhere, so a pull from them fails as one from a dead host does.
  echo 'server = "http://127.0.0.1:5000"' > "$dir/registry/_default/hosts.toml"
  local unknown
  for unknown in registry.corp.example; do
    mkdir -p "$dir/registry/$unknown"; echo "server = \"https://$unknown\"" > "$dir/registry/$unknown/hosts.toml"
  done
  cat > "$dir/containerd.toml" <<Y
version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "afterwatch-lab.invalid/pause:1"
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "$dir/registry"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true   # without CAP_SYS_RESOURCE every sandbox fails otherwise
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["/usr/lib/cni", "/opt/cni/bin"]
  conf_dir = "$dir/cni"
Y
  cat > "$dir/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $ip
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $LAB_DIR/pki/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDNS: [$ip]   # dns.py
clusterDomain: cluster.local
resolvConf: $dir/resolv.conf
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 200Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
Y
  cat > "$dir/kube-proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $LAB_DIR/kube-proxy.kubeconfig}
mode: nftables
bindAddress: $ip
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
Y
  NODE=$name NODE_IP=$ip HOST_IP=$HOST_IP spawn "$name" "$lab/node-enter.sh"
  local pid; pid=$(awk -v n="$name" '$2 == n {print $1}' pids)
  until_ok 10 test -e "$dir/ready"   # it lives in its own network namespace from here on
  ip link del "$veth" 2> /dev/null || true
  ip link add "$veth" type veth peer name eth0 netns "$pid"; ip link set "$veth" master "$link" up
  echo "$veth" >> links
  ip route add "$(pod_cidr "$n")" via "$ip"   # so that the API server reaches pods (webhooks)
  ip route add "$SERVICES.0/16" via "$ip"     # … and Services
  touch "$dir/linked"
}
start_node 1
until_ok 90 kubectl wait --for=condition=Ready --timeout=80s node/node-1
say "the real node is ready"
