#!/usr/bin/env bash
# A real etcd on loopback, with TLS as kubeadm sets it up, and a second one that can be started to join it.
#   tests/harness/etcd_pair.sh
# Prints server, ca, certificate, key (of a client) and second (the peer URL of the other), then `ready`, and stays until
# its standard input ends. Commands, each answered with `done`: start INITIAL-CLUSTER (the second, called "two"), and lose
# (the second is gone, and its data).
set -uo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
tools=${CSTL_KUBERNETES:-$("$here/tools/kubernetes/build.sh" --print-prefix 2>/dev/null)}
[ -x "$tools/etcd/etcd" ] || { echo "etcd_pair: no etcd in $tools/etcd: run tools/kubernetes/build.sh" >&2; exit 1; }
folder=$(mktemp -d /tmp/cstl-etcd-XXXXXX)
cd "$folder" || exit 1
declare -A pid=()
stop() { # NAME
  { kill -KILL "${pid[$1]}" && wait "${pid[$1]}"; } 2>/dev/null
  unset "pid[$1]"
}
finish() {
  for name in "${!pid[@]}"; do stop "$name"; done
  cd / && rm -rf -- "$folder"
}
trap finish EXIT
trap 'exit 143' TERM INT HUP
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

cat >cfg.yaml <<X
apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.255.255.1}
nodeRegistration: {name: one, criSocket: /run/containerd/containerd.sock}
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: v1.20.2
certificatesDir: $folder/pki
featureGates: {PublicKeysECDSA: true}
X
for name in etcd-ca etcd-server etcd-peer etcd-healthcheck-client; do
  "$tools/bin/kubeadm" init phase certs "$name" --config cfg.yaml >>kubeadm.log 2>&1 || { cat kubeadm.log >&2; exit 1; }
done
pki=$folder/pki/etcd
run() { # NAME CLIENT-PORT PEER-PORT INITIAL-CLUSTER STATE
  local client=https://127.0.0.1:$2 peer=https://127.0.0.1:$3
  setpriv --pdeathsig KILL "$tools/etcd/etcd" --name "$1" --data-dir "$folder/$1" --unsafe-no-fsync --client-cert-auth \
    --peer-client-cert-auth --listen-client-urls "$client" --advertise-client-urls "$client" --listen-peer-urls "$peer" \
    --initial-advertise-peer-urls "$peer" --initial-cluster "$4" --initial-cluster-state "$5" \
    --cert-file "$pki/server.crt" --key-file "$pki/server.key" --trusted-ca-file "$pki/ca.crt" \
    --peer-cert-file "$pki/peer.crt" --peer-key-file "$pki/peer.key" --peer-trusted-ca-file "$pki/ca.crt" \
    --cipher-suites TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 >>"$1.log" 2>&1 </dev/null &
  pid[$1]=$!
}
c1=$(free_port) p1=$(free_port) c2=$(free_port) p2=$(free_port)
run one "$c1" "$p1" "one=https://127.0.0.1:$p1" new
printf '%s\n' "server=https://127.0.0.1:$c1" "ca=$pki/ca.crt" "certificate=$pki/healthcheck-client.crt" \
  "key=$pki/healthcheck-client.key" "second=https://127.0.0.1:$p2" ready
while read -r command words; do
  case $command in
    start) run two "$c2" "$p2" "$words" existing ;;
    lose) stop two; rm -rf "$folder/two" ;;
  esac
  echo "done"
done
