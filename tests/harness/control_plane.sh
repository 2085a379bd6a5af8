#!/usr/bin/env bash
# A real Kubernetes control plane for tests: etcd, kube-apiserver and kube-controller-manager on loopback, as any user,
# no kubelet, in a folder of its own.
#   tests/harness/control_plane.sh [FOLDER]
# Prints `name=value` lines (folder, server, ca, ca_key, certificate, key, kubeconfig, pki), then `ready`, and stays until
# its standard input ends; then everything is stopped and the folder removed (a FOLDER that was given stays).
# Commands on standard input, each answered with `done`: stop-api, start-api, restart-api, compact (etcd forgets all
# revisions but the last), kubectl WORDS… (its output goes to $folder/kubectl.log).
set -uo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
tools=${CSTL_KUBERNETES:-$("$here/tools/kubernetes/build.sh" --print-prefix 2>/dev/null)}
[ -x "$tools/bin/kube-apiserver" ] || { echo "control_plane: no kube-apiserver in $tools/bin: run tools/kubernetes/build.sh" >&2; exit 1; }
PATH=$tools/bin:$tools/etcd:$PATH
if [ $# -gt 0 ]; then folder=$1; mkdir -p "$folder"; else folder=$(mktemp -d /tmp/cstl-control-XXXXXX); fi
cd "$folder" || exit 1

declare -A pid=()
finish() {
  local p
  trap - EXIT
  for p in "${pid[@]}"; do kill -KILL "$p"; done
  wait
  cd / || return
  case $folder in /tmp/cstl-control-*) rm -rf -- "$folder" ;; esac
}
trap 'finish 2>/dev/null' EXIT
trap 'exit 143' TERM INT HUP
die() { echo "control_plane: $*" >&2; tail -n 5 "$folder"/*.log >&2; exit 1; }

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}
api=$(free_port) etcd=$(free_port) peer=$(free_port)
pki=$folder/pki server=https://127.0.0.1:$api

# run NAME WORDS…: in the background, ended with this script whatever ends it.
run() {
  local name=$1
  shift
  setpriv --pdeathsig KILL "$@" >>"$folder/$name.log" 2>&1 </dev/null &
  pid[$name]=$!
}
alive() { kill -0 "${pid[$1]}" 2>/dev/null || die "$1 ended"; }

start_api() {
  run api kube-apiserver --etcd-servers "http://127.0.0.1:$etcd" --bind-address 127.0.0.1 --advertise-address 127.0.0.1 \
    --secure-port "$api" --allow-privileged --endpoint-reconciler-type none --authorization-mode Node,RBAC \
    --enable-bootstrap-token-auth --enable-admission-plugins NodeRestriction --client-ca-file "$pki/ca.crt" \
    --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" --service-cluster-ip-range 10.96.0.0/16 \
    --kubelet-client-certificate "$pki/apiserver-kubelet-client.crt" \
    --kubelet-client-key "$pki/apiserver-kubelet-client.key" --service-account-key-file "$pki/sa.pub" \
    --service-account-signing-key-file "$pki/sa.key" --service-account-issuer https://kubernetes.default.svc.cluster.local
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    kubectl get --raw /readyz 2>/dev/null | grep -qx ok && return
    alive api
    sleep 0.1
  done
  die "the API server is not ready after a minute"
}
stop_api() {
  { kill -KILL "${pid[api]}"; wait "${pid[api]}"; } 2>/dev/null
}

cat >cfg.yaml <<X
apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.255.255.1, bindPort: $api}
nodeRegistration: {name: light, criSocket: /run/containerd/containerd.sock}
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: v1.20.2
controlPlaneEndpoint: 127.0.0.1:$api
apiServer: {certSANs: [127.0.0.1]}
certificatesDir: $pki
networking: {podSubnet: 10.244.0.0/16}
X
{
  kubeadm init phase certs all --config cfg.yaml
  kubeadm init phase kubeconfig admin --config cfg.yaml --kubeconfig-dir "$folder"
  kubeadm init phase kubeconfig controller-manager --config cfg.yaml --kubeconfig-dir "$folder"
} >kubeadm.log 2>&1 || die "kubeadm made no certificates"
sed -i "s,10\.255\.255\.1,127.0.0.1," controller-manager.conf
export KUBECONFIG=$folder/admin.conf HOME=$folder

run etcd etcd --data-dir "$folder/etcd" --unsafe-no-fsync --listen-client-urls "http://127.0.0.1:$etcd" \
  --advertise-client-urls "http://127.0.0.1:$etcd" --listen-peer-urls "http://127.0.0.1:$peer"
start_api
run controller kube-controller-manager --kubeconfig controller-manager.conf --bind-address 127.0.0.1 --port 0 \
  --secure-port 0 --leader-elect=false --use-service-account-credentials --root-ca-file "$pki/ca.crt" \
  --service-account-private-key-file "$pki/sa.key" --cluster-signing-cert-file "$pki/ca.crt" \
  --cluster-signing-key-file "$pki/ca.key" \
  --controllers csrsigning,csrapproving,csrcleaner,serviceaccount,serviceaccount-token,namespace,garbagecollector,root-ca-cert-publisher,bootstrapsigner,tokencleaner,clusterrole-aggregation
for ((tries = 0; tries < 300; tries++)); do
  kubectl get serviceaccount default >/dev/null 2>&1 && break
  alive controller
  sleep 0.1
done

printf '%s\n' "folder=$folder" "server=$server" "ca=$pki/ca.crt" "ca_key=$pki/ca.key" \
  "certificate=$pki/apiserver-kubelet-client.crt" "key=$pki/apiserver-kubelet-client.key" \
  "kubeconfig=$folder/admin.conf" "pki=$pki" ready
while read -r command words; do
  case $command in
    stop-api) stop_api ;;
    start-api) start_api ;;
    restart-api) stop_api; start_api ;;
    compact)
      revision=$(ETCDCTL_API=3 etcdctl --endpoints "http://127.0.0.1:$etcd" endpoint status -w json |
        sed -E 's/.*"revision":([0-9]+).*/\1/')
      ETCDCTL_API=3 etcdctl --endpoints "http://127.0.0.1:$etcd" compaction "$revision" >>etcdctl.log 2>&1 ;;
    kubectl) read -ra list <<<"$words"; kubectl "${list[@]}" >>kubectl.log 2>&1 ;;
  esac
  echo "done"
done
