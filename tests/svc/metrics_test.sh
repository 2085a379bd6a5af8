#!/usr/bin/env bash
# The services as they ship, watched by a real Prometheus: every service on the ports and with the scrape configuration of
# policy/prometheus, in a network namespace of its own, a real API server behind them. Asserts that each target is up, that
# the counters say exactly what happened, that every query of the dashboard and of the alert rules works and asks for
# metrics that exist, that /healthz, /readyz and bad requests are answered, and that each line of the logs is JSON with a
# documented event. docs/metrics.md is compared with both.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [ "${1:-}" != inside ]; then
  tools/deps/prometheus.sh
  exec unshare --net --mount "$0" inside
fi
programs=${CSTL_PROGRAMS:-$PWD/build/release}
export CSTL_PROGRAMS=$programs CSTL_SERVICE_PORTS=1
prometheus=$(tools/deps/prometheus.sh --print-prefix)/usr/bin
ninja --quiet -C "$programs" metrics_cluster cstl-attester cstl-joinservice cstl-keyservice cstl-nodenetwork cstl-verificationservice
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
for c in all default; do echo 1 >"/proc/sys/net/ipv4/conf/$c/rp_filter"; done

work=$(mktemp -d "${TMPDIR:-/tmp}/cstl-metrics-XXXXXX")
chmod 755 "$work"
pids=() status=0
finish() {
  local p
  for p in "${pids[@]}"; do kill -KILL "$p" 2>/dev/null || true; done
  exec 3>&-
  [ -z "${cluster:-}" ] || wait "$cluster" 2>/dev/null || true
  [ $status = 0 ] || tail -n 5 "$work"/*.log 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
check() { # NAME COMMAND…
  local name=$1
  shift
  if "$@" >"$work/check" 2>&1; then echo "ok   $name"; else echo "FAIL $name"; tail -n 20 "$work/check"; status=1; fi
}
wait_for() { # FILE PATTERN SECONDS
  local n
  for ((n = 0; n < $3 * 10; n++)); do grep -qE "$2" "$1" 2>/dev/null && return 0; sleep 0.1; done
  echo "no line of $1 matches $2" >&2
  return 1
}

# Rules first: they need nobody.
check 'promtool takes the rules' "$prometheus/promtool" check rules policy/prometheus/alerts.yaml
check 'promtool takes the scrape configuration' "$prometheus/promtool" check config policy/prometheus/prometheus.yaml
cp tests/svc/metrics/alerts_test.yaml "$work/"
check 'each alert has words and a case' /usr/bin/python3 -I tests/svc/metrics/alerts.py policy/prometheus/alerts.yaml "$work/alerts_test.yaml" "$work/alerts.yaml"
check 'each alert fires when it should' "$prometheus/promtool" test rules "$work/alerts_test.yaml"

mkfifo "$work/in"
"$programs/metrics_cluster" <"$work/in" >"$work/out" 2>"$work/cluster.log" &
cluster=$!
exec 3>"$work/in"
wait_for "$work/out" '^(ready|failed=.*)$' 120 || { status=1; exit 1; }
if ! grep -qx ready "$work/out"; then cat "$work/out"; status=1; exit 1; fi
value() { sed -n "s/^$1=//p" "$work/out"; }
folder=$(value folder) server=$(value server)

# The two services that the cluster did not start.
"$programs/cstl-verificationservice" --cluster-id "$(value cluster_id)" --role control-plane --name control-0 \
  --listen 127.0.0.1:9091 --attester "$folder/attester.sock" --metrics 127.0.0.1:9191 --log json 2>"$folder/verificationservice.log" &
pids+=($!)
mount -t tmpfs run /run
account=/var/run/secrets/kubernetes.io/serviceaccount
mkdir -p "$account" "$work/cni"
cp "$(value ca)" "$account/ca.crt"
tools=${CSTL_KUBERNETES:-$(tools/kubernetes/build.sh --print-prefix)}
KUBECONFIG=$(value kubeconfig)
export KUBECONFIG
"$tools/bin/kubectl" apply --server-side -f policy/kubernetes/60-nodenetwork.yaml >/dev/null
echo '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"audiences":["https://kubernetes.default.svc.cluster.local"]}}' |
  "$tools/bin/kubectl" create --raw /api/v1/namespaces/cstl-system/serviceaccounts/cstl-nodenetwork/token -f - |
  sed 's/.*"token":"\([^"]*\)".*/\1/' >"$account/token"
sed "s/10\.0\.2\.15:6443/${server#https://}/" "$folder/cluster/cluster.json" >"$work/cluster.json"
head -c 32 /dev/urandom | base64 >"$work/key"
KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=${server##*:} "$programs/cstl-nodenetwork" --name control-0 \
  --cluster "$work/cluster.json" --key "$work/key" --cni "$work/cni" --metrics 127.0.0.1:9193 --log json 2>"$folder/nodenetwork.log" &
pids+=($!)
wait_for "$folder/verificationservice.log" service.ready 30 || status=1
wait_for "$folder/nodenetwork.log" node.not_ready 30 || status=1
(exec 4<>/dev/tcp/127.0.0.1/9091)   # one who leaves at once
wait_for "$folder/verificationservice.log" session.failed 10 || status=1

# The scrape configuration as it is, but for its pace.
sed -E 's/scrape_(interval|timeout): .*/scrape_\1: 1s/' policy/prometheus/prometheus.yaml >"$work/prometheus.yaml"
printf 'rule_files: [%s]\n' "$PWD/policy/prometheus/alerts.yaml" >>"$work/prometheus.yaml"
NODE_NAME=control-0 "$prometheus/prometheus" --config.file "$work/prometheus.yaml" --storage.tsdb.path "$work/tsdb" \
  --enable-feature=expand-external-labels --web.listen-address 127.0.0.1:9099 --log.level warn >"$work/prometheus.log" 2>&1 &
pids+=($!)

check 'Prometheus reads what happened' /usr/bin/python3 -I tests/svc/metrics/prometheus.py http://127.0.0.1:9099 \
  policy/grafana/cstl.json policy/prometheus/alerts.yaml docs/metrics.md
check 'health, readiness and bad requests are answered' /usr/bin/python3 -I tests/svc/metrics/endpoints.py
check 'each line of the logs is JSON, and documented' /usr/bin/python3 -I tests/svc/metrics/logs.py docs/metrics.md "$folder"/*.log
exit $status
