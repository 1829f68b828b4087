# Sourced by `record` and by the stories' `play`.

# at SECONDS COMMAND...: runs the command that long after the story's beginning, and says so.
at() {
  local when=$1; shift
  while ((SECONDS < when)); do sleep 0.2; done
  echo "+${when}s $*" >&2
  "$@"
}

# helm FILE KEY=VALUE...: applies a rendered chart as Helm does, under the field manager "helm".
helm() {
  local file=$1 values=() value; shift
  for value in "$@"; do values+=(-e "s|@${value%%=*}@|${value#*=}|g"); done
  sed "${values[@]}" "$file" | kubectl apply --server-side --force-conflicts --field-manager=helm -f - > /dev/null
}

# roll_out NAMESPACE NAME VERSION: an ordinary release of a workload of the fleet.
roll_out() {
  kubectl -n "$1" patch deployment "$2" --type=strategic --field-manager=helm -p "{\"metadata\": {\"labels\":
    {\"app.kubernetes.io/version\": \"$3\"}}, \"spec\": {\"template\": {\"metadata\": {\"labels\": {\"app.kubernetes.io/version\": \"$3\"}},
    \"spec\": {\"containers\": [{\"name\": \"$2\", \"image\": \"registry.example.com/$1/$2:$3\"}]}}}}" > /dev/null
}

# warn NAMESPACE NAME REASON MESSAGE: a Warning of the kubelet about one pod of a workload that goes on serving.
warn() {
  local pod uid node now
  read -r pod uid node < <(kubectl -n "$1" get pods -l "app.kubernetes.io/name=$2" \
    -o jsonpath='{.items[0].metadata.name} {.items[0].metadata.uid} {.items[0].spec.nodeName}{"\n"}')
  now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  kubectl create -f - > /dev/null <<Y
apiVersion: v1
kind: Event
metadata: {generateName: $pod., namespace: $1}
involvedObject: {apiVersion: v1, kind: Pod, namespace: $1, name: $pod, uid: $uid, fieldPath: "spec.containers{$2}"}
type: Warning
reason: $3
message: '$4'
source: {component: kubelet, host: $node}
reportingComponent: kubelet
reportingInstance: $node
firstTimestamp: $now
lastTimestamp: $now
count: 1
Y
}

# real_node: the first node that KWOK does not pretend.
real_node() {
  kubectl get nodes -o json | python3 -c 'import json, sys
print(next(n["metadata"]["name"] for n in json.load(sys.stdin)["items"] if "kwok.x-k8s.io/node" not in n["metadata"].get("annotations", {})))'
}

# ready NAMESPACE NAME: waits until a Deployment is rolled out.
ready() { kubectl -n "$1" rollout status "deployment/$2" --timeout=120s > /dev/null; }
