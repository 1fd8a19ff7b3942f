// etcd of the cluster lane. A module of its own: its dependencies must not meet those of Kubernetes.
module argocd-agent.tools/etcd

go 1.26.0

require go.etcd.io/etcd/server/v3 v3.6.8
