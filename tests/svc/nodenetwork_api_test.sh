#!/usr/bin/env bash
# cstl-nodenetwork, as it ships and confined, against a real API server, with the rights that policy/kubernetes gives it. In a
# network namespace of this machine, whose kernel may lack WireGuard: what follows from the objects is read from the log up
# to the point where this node would be ready. tests/svc/nodenetwork_test.sh goes on from there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [ "${1:-}" != inside ]; then exec unshare --net --mount "$0" inside; fi
programs=${CSTL_PROGRAMS:-$PWD/build/release}
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
for c in all default; do echo 1 >"/proc/sys/net/ipv4/conf/$c/rp_filter"; done
mount -t tmpfs run /run
work=$(mktemp -d "${TMPDIR:-/tmp}/cstl-nodenetwork-api-XXXXXX")
service='' status=0
finish() {
  [ -z "$service" ] || kill -9 "$service" 2>/dev/null || true
  exec 3>&-
  [ -z "${plane:-}" ] || wait "$plane" 2>/dev/null || true
  [ $status = 0 ] || tail -n 20 "$work/log" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

mkfifo "$work/in"
tests/harness/control_plane.sh "$work/plane" <"$work/in" >"$work/out" 2>"$work/err" &
plane=$!
exec 3>"$work/in"
wait_for() { # FILE PATTERN SECONDS
  for ((n = 0; n < $3 * 10; n++)); do [ -z "$service" ] || kill -0 "$service" 2>/dev/null || return 1; grep -qE "$2" "$1" 2>/dev/null && return 0; sleep 0.1; done
  return 1
}
wait_for "$work/out" '^ready$' 90 || { cat "$work/err"; status=1; exit 1; }
value() { sed -n "s/^$1=//p" "$work/out"; }
tools=${CSTL_KUBERNETES:-$(tools/kubernetes/build.sh --print-prefix)}
KUBECONFIG=$(value kubeconfig)
export KUBECONFIG
kubectl() { "$tools/bin/kubectl" "$@"; }

expect() { # NAME PATTERN
  if wait_for "$work/log" "$2" 30; then echo "ok   $1"; else echo "FAIL $1: no line matches $2"; status=1; fi
}

# The manifests: the real rights, and a dry run of the whole.
kubectl apply --server-side -f policy/kubernetes/10-namespace.yaml -f policy/kubernetes/20-cstlnodes.yaml >/dev/null
kubectl apply --server-side --dry-run=server -f policy/kubernetes/60-nodenetwork.yaml >"$work/dry" || status=1
kubectl apply --server-side -f policy/kubernetes/60-nodenetwork.yaml >/dev/null || status=1
account=/var/run/secrets/kubernetes.io/serviceaccount
mkdir -p "$account" "$work/cni"
cp "$(value ca)" "$account/ca.crt"
echo '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"audiences":["https://kubernetes.default.svc.cluster.local"]}}' |
  kubectl create --raw /api/v1/namespaces/cstl-system/serviceaccounts/cstl-nodenetwork/token -f - |
  sed 's/.*"token":"\([^"]*\)".*/\1/' >"$account/token"
echo '{"cstl":"cluster/1","endpoint":"127.0.0.1:1","network":"wireguard","pod_cidr":"10.244.0.0/16"}' >"$work/cluster.json"
head -c 32 /dev/urandom | base64 >"$work/key"

# The endpoint of the cluster is away, and so is this node's own API server: what is left is the Service.
server=$(value server)
KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=${server##*:} "$programs/cstl-nodenetwork" --name one --address 127.0.0.1 \
  --cluster "$work/cluster.json" --key "$work/key" --cni "$work/cni" 2>"$work/log" &
service=$!
expect 'it confines itself and starts' 'service.ready'
expect 'without its Node it takes no part' 'node.not_ready.*no_node'

node() { echo "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"$1\"}}"; }
record() { # NAME ADDRESS
  cat <<X
{"apiVersion":"cstl.dev/v1alpha1","kind":"CstlNode","metadata":{"name":"$1"},"spec":{"disk":"00000000-0000-4000-8000-000000000001",
"identity":"$(printf '1%.0s' {1..64})","role":"worker","referenceSet":"s","variant":"qemu-vtpm","address":"$2",
"wireguardPublicKey":"e06Qm75//kTEZaIgA31gjuNYl9Me+XLwf3SJLLD3PxM=","firstJoined":"2026-01-01T00:00:00Z"}}
X
}
node one | kubectl create -f - >/dev/null
expect 'a Node without a CstlNode is not ready' 'node.not_ready.*no_record'
record one 10.0.2.15 | kubectl create -f - >/dev/null
expect 'a Node at another address neither' 'node.not_ready.*address_differs'
echo '{"status":{"addresses":[{"type":"InternalIP","address":"10.0.2.15"}]}}' >"$work/patch"
curl -sS --cacert "$(value ca)" --cert "$(value certificate)" --key "$(value key)" -X PATCH \
  -H 'Content-Type: application/merge-patch+json' -d "@$work/patch" "$server/api/v1/nodes/one/status" >/dev/null
expect 'nor one without a pod range' 'node.not_ready.*no_range'

echo restart-api >&3
expect 'an API server that goes away is told' 'watch.failed'
wait_for "$work/out" '^done$' 60 || true
kubectl delete cstlnode one >/dev/null
lines=$(wc -l <"$work/log")
for ((n = 0; n < 600; n++)); do tail -n "+$((lines + 1))" "$work/log" | grep -q 'no_record' && break; sleep 0.1; done
if tail -n "+$((lines + 1))" "$work/log" | grep -q 'no_record'; then echo 'ok   and what changes afterwards is seen'; else
  echo 'FAIL what changes after a restart of the API server is not seen'; status=1
fi
if kill -0 "$service" 2>/dev/null; then echo 'ok   nothing that it did was forbidden'; else echo 'FAIL it has ended'; status=1; fi
exit $status
