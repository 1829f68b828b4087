# What the lab is made of. Sourced by build.sh and run; a change here builds anew.
KUBERNETES=v1.36.3   # also the version in gomod/kubernetes/go.mod
ETCD=v3.6.16         # also the version in gomod/etcd/go.mod
KWOK=v0.8.0
CONTAINERD=v2.3.7
