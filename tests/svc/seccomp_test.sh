#!/usr/bin/env bash
# The seccomp profiles of policy/seccomp/*.profile around the services as they ship, in containers of the real runc with
# what policy/kubernetes says of user, capabilities and profile; a real API server behind them. Twice: with EPERM for what
# a profile does not list, as it ships, and with death for it, so that nothing that a service, its exporter or runc needs
# is missing in silence. Each is asked for its health and metrics, machines join and rejoin, one is verified. Then a
# program that calls what no profile lists: refused inside, not refused without a profile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [ "${1:-}" != inside ]; then
  exec unshare --net --mount "$0" inside
fi
programs=${CSTL_PROGRAMS:-$PWD/build/release}
policyc=${POLICYC:-$programs/policyc}
ninja --quiet -C "$programs" policyc metrics_cluster profile_probe cstl cstl-attester cstl-joinservice cstl-keyservice \
  cstl-nodenetwork cstl-verificationservice
runc=$(tools/deps/root.sh --print-prefix)/usr/sbin/runc
[ -x "$runc" ] || tools/deps/root.sh
tools=${CSTL_KUBERNETES:-$(tools/kubernetes/build.sh --print-prefix)}
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
for c in all default; do echo 1 >"/proc/sys/net/ipv4/conf/$c/rp_filter"; done

work=$(mktemp -d /tmp/cstl-seccomp-XXXXXX)
chmod 755 "$work"
services=(joinservice keyservice nodenetwork verificationservice)
pids=() cluster='' status=0
export CSTL_RUNC=$runc CSTL_PROGRAMS_REAL=$programs CSTL_CONTAINERS=$work/containers CSTL_SERVICE_PORTS=1
end_all() {
  local p name
  for p in "${pids[@]}"; do
    kill -KILL "$p" 2>/dev/null || true
    wait "$p" 2>/dev/null || true
  done
  pids=()
  for name in $("$runc" --root "$work/containers/state" list -q 2>/dev/null); do
    "$runc" --root "$work/containers/state" delete --force "$name" 2>/dev/null || true
  done
  { exec 3>&-; } 2>/dev/null || true
  [ -z "$cluster" ] || wait "$cluster" 2>/dev/null || true
  cluster=''
}
finish() {
  end_all
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
  echo "no line of $1 matches $2"
  tail -n 5 "$1" 2>/dev/null
  return 1
}
value() { sed -n "s/^$1=//p" "$work/out"; }

# Programs of the names that ship; each becomes its container. The attester is no pod.
mkdir "$work/containers" "$work/programs"
ln -s "$programs/cstl-attester" "$work/programs/"
for service in "${services[@]}"; do
  printf '#!/bin/sh\ncd %s && exec /usr/bin/python3 -I tests/svc/seccomp/container.py %s "$@"\n' "$PWD" "$service" \
    >"$work/programs/cstl-$service"
  chmod 755 "$work/programs/cstl-$service"
done

# The service and its child, the exporter, are in two filters each: the container's and their own.
in_filters() { # SERVICE
  local name init filters
  name=$("$runc" --root "$work/containers/state" list -q | grep "^$1-")
  init=$("$runc" --root "$work/containers/state" state "$name" | sed -n 's/^  "pid": \([0-9]*\),$/\1/p')
  for process in "$init" $(cat "/proc/$init/task/$init/children"); do
    filters=$(sed -n 's/^Seccomp_filters:\t//p' "/proc/$process/status")
    echo "$process $(cat "/proc/$process/comm"): $filters"
    [ "$filters" = 2 ] || return 1
  done
  [ -n "$(cat "/proc/$init/task/$init/children")" ]
}

round() { # errno|kill
  local profile folder server service account=$work/account
  mkdir -p "$work/$1/cstl" "$account" "$work/cni"
  for service in "${services[@]}"; do
    profile=policy/seccomp/$service.profile
    "$policyc" oci "$1" "$profile" "$work/$1/cstl/$service.json"
  done
  export CSTL_PROFILES=$work/$1
  rm -f "$work/in" "$work/out"
  mkfifo "$work/in"
  CSTL_PROGRAMS=$work/programs "$programs/metrics_cluster" <"$work/in" >"$work/out" 2>"$work/$1-cluster.log" &
  cluster=$!
  exec 3>"$work/in"
  check "$1: keyservice and joinservice admit, refuse and rejoin machines" wait_for "$work/out" '^ready$' 180
  grep -qx ready "$work/out" || { cat "$work/out" "$work/$1-cluster.log"; status=1; return; }
  folder=$(value folder) server=$(value server)

  "$work/programs/cstl-verificationservice" --cluster-id "$(value cluster_id)" --role control-plane --name control-0 \
    --listen 127.0.0.1:9091 --attester "$folder/attester.sock" --metrics 127.0.0.1:9191 --log json 2>"$work/$1-verification.log" &
  pids+=($!)
  cp "$(value ca)" "$account/ca.crt"
  KUBECONFIG=$(value kubeconfig) "$tools/bin/kubectl" apply --server-side -f policy/kubernetes/60-nodenetwork.yaml >/dev/null
  echo '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"audiences":["https://kubernetes.default.svc.cluster.local"]}}' |
    KUBECONFIG=$(value kubeconfig) "$tools/bin/kubectl" create --raw \
      /api/v1/namespaces/cstl-system/serviceaccounts/cstl-nodenetwork/token -f - |
    sed 's/.*"token":"\([^"]*\)".*/\1/' >"$account/token"
  sed "s/10\.0\.2\.15:6443/${server#https://}/" "$folder/cluster/cluster.json" >"$work/cluster.json"
  head -c 32 /dev/urandom | base64 >"$work/key"
  CSTL_ACCOUNT=$account KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=${server##*:} \
    "$work/programs/cstl-nodenetwork" --name control-0 --cluster "$work/cluster.json" --key "$work/key" --cni "$work/cni" \
    --metrics 127.0.0.1:9193 --log json 2>"$work/$1-network.log" &
  pids+=($!)
  check "$1: verificationservice starts" wait_for "$work/$1-verification.log" service.ready 30
  check "$1: nodenetwork reads the API server" wait_for "$work/$1-network.log" node.not_ready 30
  for service in "${services[@]}"; do
    check "$1: $service and its exporter are in two filters" in_filters "$service"
  done
  check "$1: a machine is verified" "$programs/cstl" verify --endpoint 127.0.0.1:9091 --cluster-id "$(value cluster_id)" \
    --reference-values "$(value accepted)"
  check "$1: health, readiness, metrics and bad requests are answered" /usr/bin/python3 -I tests/svc/metrics/endpoints.py
  end_all
}
round errno
round kill

# Of the calls of profile_probe, those that SERVICE may make.
may() {
  printf '%s\n' getpid memory 'unix socket' 'open to read' fork
  [ "$1" != nodenetwork ] || echo 'netlink socket'
  [ "$1" != keyservice ] || echo "the socket's mode"
}
probe() { # SERVICE PROFILES [CALL]
  CSTL_INSTEAD=profile_probe CSTL_PROFILES=$2 /usr/bin/python3 -I tests/svc/seccomp/container.py "$1" "${@:3}"
}
unlisted_is_refused() { # SERVICE
  probe "$1" '' >"$work/free"
  grep -c . "$work/free"
  ! grep -v ': passed$' "$work/free" || return 1   # a call that fails anyway proves nothing
  probe "$1" "$work/errno" >"$work/held"
  diff <(sed -n 's/: passed$//p' "$work/held") <(may "$1") && diff <(cut -d: -f1 "$work/free") <(cut -d: -f1 "$work/held")
}
kills() { # SERVICE
  local ended=0
  probe "$1" "$work/kill" memfd_create || ended=$?
  [ $ended = 159 ]   # 128 + SIGSYS
}
for service in "${services[@]}"; do
  check "$service: what its profile does not list is refused" unlisted_is_refused "$service"
  check "$service: and kills, where the profile is made so" kills "$service"
done
exit $status
