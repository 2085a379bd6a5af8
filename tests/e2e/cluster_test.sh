#!/usr/bin/env bash
# The life of a Kubernetes cluster in virtual machines: three control planes and a worker; a control plane is lost and
# comes back by rejoin; a worker is replaced, and its name is not free before its record is gone; everything loses power
# and is recovered by the owner, with etcd's data and a pod's volume intact; bad reference values change nothing.
# Long: one to two hours on two cores in software emulation.
#
# Stage by stage: with CSTL_KEEP=1 CSTL_E2E_WORK=FOLDER a run that fails leaves its machines as they are, and the next one
# goes on with the stage that failed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

all=(control-plane-0 control-plane-1 control-plane-2 worker-0)

cluster_up() {
  cstl -C "$work" mini up --timeout 5400
  kube get nodes -o wide
  retry 1800 joined 2
}
# Of the control planes but the first, which is told at its init: members of etcd with a vote (docs/kubernetes.md).
joined() { # how many
  [ "$(kube get nodes -o 'jsonpath={range .items[*]}{.metadata.annotations.cstl\.dev/joined}{"\n"}{end}' | grep -c T)" = "$1" ]
}

# What must survive: an object in etcd, and what a pod wrote to its node's disk at each of its starts.
leave_marks() {
  kube create configmap mark --from-literal=said="$(date +%s)" -o yaml | tee "$work/mark.yaml"
  kube apply -f tests/e2e/counter.yaml
  starts_are 1
}
starts_are() {
  retry 900 counted "$1"
}
counted() {
  kube get --raw /api/v1/namespaces/default/services/counter:http/proxy/ | tee "$work/answer.txt"
  grep -q "start $1\$" "$work/answer.txt"
}
mark_is_there() { kube get configmap mark -o 'jsonpath={.data.said}' | grep -F "$(sed -n 's/.*said: "\(.*\)"/\1/p' "$work/mark.yaml")"; }

ready() { # name
  [ "$(kube get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]
}
not_ready() { # name
  [ "$(kube get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" != True ]
}

control_plane_is_lost() {
  cstl -C "$work" mini kill control-plane-2
  retry 600 not_ready control-plane-2
  kube create configmap while-one-is-lost --from-literal=two=enough
}
control_plane_rejoins() {
  local mark
  mark=$(console_mark control-plane-2)
  cstl -C "$work" mini start control-plane-2
  wait_console control-plane-2 'state\.mounted boots=2' 900 "$mark"
  retry 1800 ready control-plane-2
  wait_condition control-plane-2 serving 1200
}

# The same name with another TPM and another disk is another machine.
name_is_taken() {
  cstl -C "$work" mini remove worker-0
  cstl -C "$work" mini add worker-0
  wait_console worker-0 'belongs to another machine' 600 0
  grep -a 'belongs to another machine' "$work/cstl-mini/worker-0/serial.log" | head -n 1
}
worker_is_replaced() {
  kube delete node worker-0
  kube delete cstlnode worker-0
  retry 1800 ready worker-0
  wait_condition worker-0 serving 1200
  kube delete --ignore-not-found pod counter --force --grace-period=0
  kube apply -f tests/e2e/counter.yaml
  starts_are 1
}

power_loss() {
  cstl -C "$work" mini kill "${all[@]}"
  cstl -C "$work" mini start "${all[@]}"
  for name in "${all[@]:0:3}"; do wait_condition "$name" 'waits for its disk key' 1200; done
}
recovered() {
  cstl -C "$work" recover
  cstl -C "$work" mini up --timeout 5400
}
data_is_intact() {
  retry 900 mark_is_there
  starts_are 2
}

# The joinservice keeps the values that it has, says why it refused the others, and machines still come in.
bad_values_are_refused() {
  kube -n cstl-system get configmap cstl-reference-values -o json >"$work/values.json"
  kube -n cstl-system create configmap cstl-reference-values --from-literal=reference-values.json='{"cstl": "nonsense"}' \
    --dry-run=client -o yaml | kube apply --server-side --force-conflicts -f -
  retry 600 values_refused
  cstl -C "$work" mini kill worker-0
  cstl -C "$work" mini start worker-0
  wait_condition worker-0 serving 1800
}
values_refused() { kube -n cstl-system logs -l app.kubernetes.io/name=cstl-joinservice --tail=-1 | grep -m 1 'references\.rejected'; }

mkdir -p "$work"
stage "configure" configure --kubernetes control_planes=3 workers=1
stage "three control planes and a worker: boot, init, join" cluster_up
stage "cstl verify: all four" cstl -C "$work" verify
stage "leave marks in etcd and in a pod's volume" leave_marks
stage "a control plane is lost; two are enough" control_plane_is_lost
stage "it comes back by rejoin" control_plane_rejoins
stage "another machine under the worker's name is refused" name_is_taken
stage "once the old record is gone, it takes the worker's place" worker_is_replaced
stage "all machines lose power; every control plane waits for its key" power_loss
stage "cstl recover: the whole cluster is back" recovered
stage "etcd's data and the pod's volume are intact" data_is_intact
stage "bad reference values are refused; the old ones serve" bad_values_are_refused
stage "cstl verify again" cstl -C "$work" verify
rm -f "$work/stages"
unset CSTL_KEEP
step "cstl mini down" cstl -C "$work" mini down
echo "the cluster lived"
