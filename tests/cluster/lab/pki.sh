# Sourced by up.sh in $LAB_DIR: addresses, certificates under pki/, and a kubeconfig per component.
net=$((LAB_PORT / 1000 % 100))                     # clusters that run at once differ in the thousands of LAB_PORT
HOST_IP=10.99.$net.1 SERVICES=10.$((100 + net)).0   # the host's end of the real node's bridge; services are $SERVICES.0/16
node_ip() { echo "10.99.$net.$(($1 + 1))"; }        # node_ip NUMBER
pod_cidr() { echo "10.$net.$1.0/24"; }
export RANDFILE=/dev/null
key() { openssl ecparam -name prime256v1 -genkey -noout -out "pki/$1.key"; }
cert() { # cert NAME SUBJECT [SAN]
  key "$1"
  openssl req -new -key "pki/$1.key" -subj "$2" -out "pki/$1.csr"
  openssl x509 -req -in "pki/$1.csr" -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 30 -out "pki/$1.crt" -extfile <(
    printf '%s\n' basicConstraints=CA:FALSE keyUsage=digitalSignature extendedKeyUsage=clientAuth,serverAuth ${3:+"subjectAltName=$3"}) 2> /dev/null
}
kubeconfig() { # kubeconfig NAME CERT SERVER
  local b64="base64 -w0"
  cat > "$1.kubeconfig" <<Y
apiVersion: v1
kind: Config
current-context: lab
contexts: [{name: lab, context: {cluster: lab, user: $1}}]
clusters: [{name: lab, cluster: {server: "$3", certificate-authority-data: $($b64 pki/ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $($b64 "pki/$2.crt"), client-key-data: $($b64 "pki/$2.key")}}]
Y
  chmod 600 "$1.kubeconfig"
}
key ca; key sa
openssl req -x509 -new -key pki/ca.key -subj /CN=afterwatch-lab-ca -days 30 -out pki/ca.crt
cert apiserver /CN=kube-apiserver "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$SERVICES.1,IP:$HOST_IP"
cert front-proxy /CN=front-proxy
api=https://127.0.0.1:$LAB_PORT
cert admin /O=system:masters/CN=admin;        kubeconfig admin admin "$api"
cert kcm /CN=system:kube-controller-manager;  kubeconfig kcm kcm "$api"
cert scheduler /CN=system:kube-scheduler;     kubeconfig scheduler scheduler "$api"
cert kube-proxy /CN=system:kube-proxy;        kubeconfig kube-proxy kube-proxy "https://$HOST_IP:$LAB_PORT"
