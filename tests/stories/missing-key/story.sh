# Release 3.8.0 of invoices reads a key that its Secret does not have; the old pods go on serving, and nobody mends it.
TITLE="A release reads a Secret key that does not exist"
SUMMARY="Release 3.8.0 of invoices wants the mail password from a key that its Secret does not have. The new pod cannot start; the old ones go on serving, so customers notice nothing, and the roll-out stands still. Nobody has mended it yet."
BEGINS=65
LASTS=330
NEEDS_NODE=yes
IMAGES="registry.example.com/billing/invoices:3.7.2 registry.example.com/billing/invoices:3.8.0"
MAIL='- {name: SMTP_PASSWORD, valueFrom: {secretKeyRef: {name: invoices-mail, key: password}}}'

before() {
  kubectl -n billing create secret generic invoices-db --from-literal=url=postgres://nobody@invoices-db.billing.svc/invoices > /dev/null
  kubectl -n billing create secret generic invoices-mail --from-literal=user=invoices --from-literal=pass=not-a-password > /dev/null
  helm "$here/invoices.yaml" version=3.7.2 chart=2.2.0 mail=
  ready billing invoices
  sleep 15
}

play() {
  at 20 roll_out shop search 3.9.5
  at 33 warn shop cart Unhealthy "Readiness probe failed: HTTP probe failed with statuscode: 503"
  at 48 kubectl -n shop scale deployment/recommendations --replicas=3
  at 65 helm "$here/invoices.yaml" version=3.8.0 chart=2.3.0 "mail=$MAIL"
  at 130 roll_out identity profiles 5.6.0
  at 170 warn logistics shipping DNSConfigForming "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: logistics.svc.cluster.local svc.cluster.local cluster.local"
  at 240 kubectl -n shop scale deployment/recommendations --replicas=2
}
