# Node node-3 dies with ten workloads on it; their pods are moved after a minute, and later the node comes back.
TITLE="A node dies with ten workloads on it"
SUMMARY="Node node-3 stops reporting. Pods of ten workloads run on it. A minute later the cluster starts them elsewhere; the cart's cache, which belongs to that zone, has to wait until the node comes back."
BEGINS=55
LASTS=450
NEEDS_NODE=no
IMAGES=

before() { sleep 15; }

# The node's lease is given to somebody else, so KWOK stops renewing it, and without its annotation KWOK leaves the
# node's status to the controller manager, which notices after its grace period.
die() {
  kubectl annotate node node-3 kwok.x-k8s.io/node- > /dev/null
  kubectl -n kube-node-lease patch lease node-3 -p '{"spec": {"holderIdentity": "nobody", "leaseDurationSeconds": 3600}}' > /dev/null
}

come_back() {
  kubectl -n kube-node-lease delete lease node-3 > /dev/null
  kubectl annotate node node-3 kwok.x-k8s.io/node=fake > /dev/null
}

play() {
  at 15 roll_out shop catalog 5.2.1
  at 30 warn identity sso Unhealthy "Readiness probe failed: Get \"http://10.0.0.61:8080/healthz/ready\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
  at 55 die
  at 130 kubectl -n shop scale deployment/recommendations --replicas=3
  at 215 roll_out shop catalog 5.2.2
  at 300 come_back
}
