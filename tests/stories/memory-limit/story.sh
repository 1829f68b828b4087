# A Helm upgrade lowers checkout's memory limit below what its price cache needs; somebody puts it back.
TITLE="Checkout runs out of memory after a release"
SUMMARY="Helm upgrades checkout in the shop. Beside a new image the release carries a memory limit of 128Mi instead of 512Mi. All three pods come up, fill their price cache, and are killed one after another. Three minutes later somebody puts the limit back."
BEGINS=62
LASTS=370
NEEDS_NODE=yes
IMAGES="registry.example.com/shop/checkout:2.14.0 registry.example.com/shop/checkout:2.14.1"

before() {
  kubectl -n shop create configmap checkout-program --from-file="$here/checkout.py" > /dev/null
  helm "$here/checkout.yaml" version=2.14.0 chart=1.8.3 limit=512Mi
  ready shop checkout
  sleep 50 # the cache is full, and the autoscaler has its first figures
}

play() {
  at 15 roll_out shop catalog 5.2.1
  at 28 warn identity sso Unhealthy "Readiness probe failed: Get \"http://10.0.0.61:8080/healthz/ready\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
  at 40 kubectl -n shop scale deployment/recommendations --replicas=3
  at 62 helm "$here/checkout.yaml" version=2.14.1 chart=1.9.0 limit=128Mi
  at 110 roll_out logistics tracking 2.1.1
  at 150 warn billing ledger DNSConfigForming "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: billing.svc.cluster.local svc.cluster.local cluster.local"
  at 245 kubectl -n shop set resources deployment/checkout --containers=checkout --limits=memory=512Mi
  at 300 roll_out identity profiles 5.6.0
}
