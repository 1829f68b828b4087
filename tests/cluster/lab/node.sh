#!/usr/bin/env bash
# Pid 1 of a real node ($NODE): see node-enter.sh.
set -euo pipefail
cd "$LAB_DIR/$NODE"
PATH=$LAB_HOME/bin:$PATH
unset KUBECONFIG HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY all_proxy
version=1; [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || version=2
mount -t proc proc /proc
mount -t sysfs sysfs /sys
if [ $version = 2 ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  # A cgroup that holds processes may not hand controllers on to its children.
  mkdir /sys/fs/cgroup/init
  for pid in $(cat /sys/fs/cgroup/cgroup.procs); do echo "$pid" > /sys/fs/cgroup/init/cgroup.procs 2> /dev/null || true; done
  sed 's/^\| / +/g' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
else
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  for c in cpu cpuacct cpuset memory devices freezer blkio pids; do
    mkdir "/sys/fs/cgroup/$c"; mount -t cgroup -o "$c" cgroup "/sys/fs/cgroup/$c"
  done
  mkdir /sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd # the kubelet wants it to exist
fi
mount -t tmpfs run /run; mkdir -p /run/lock /run/netns
mkdir -p /var/lib/{kubelet,containerd,cni}
mount --bind kubelet /var/lib/kubelet
mount --bind containerd /var/lib/containerd
mount --bind cni-state /var/lib/cni
mount --bind log /var/log
# containerd itself resolves names too: by the node's resolver, not the machine's.
mount --bind resolv.conf "$(readlink -f /etc/resolv.conf)" 2> /dev/null || true
mount --make-rshared /
# The kubelet insists on these values and would set them for the whole machine: show it copies.
while read -r key value; do
  echo "$value" > "/run/lock/${key//\//.}"; mount --bind "/run/lock/${key//\//.}" "/proc/sys/$key"
done <<< 'vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000'

hostname "$NODE"
ip link set lo up
touch ready
until [ -e linked ]; do sleep 0.02; done
ip addr add "$NODE_IP/24" dev eth0; ip link set eth0 up; ip route add default via "$HOST_IP"
echo 1 > /proc/sys/net/ipv4/ip_forward
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables

python3 "$(dirname "$0")/registry.py" "$LAB_HOME/images" > log/registry.log 2>&1 &
python3 "$(dirname "$0")/dns.py" "$NODE_IP" "https://$HOST_IP:$LAB_PORT" "$LAB_DIR/pki" "$NODE" > log/dns.log 2>&1 &
containerd --config containerd.toml > log/containerd.log 2>&1 &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.05; done
kubelet --config=kubelet.yaml --kubeconfig="../$NODE.kubeconfig" --hostname-override="$NODE" --node-ip="$NODE_IP" > log/kubelet.log 2>&1 &
kube-proxy --config=kube-proxy.yaml --hostname-override="$NODE" > log/kube-proxy.log 2>&1 &
wait
