#!/usr/bin/env bash
# Power cuts: a machine is killed at random moments of first boot, init, join, re-key and rejoin; each time the next boot
# must come to a fresh or an unlockable disk, and the line must complete. CUTS (default 30) cuts; SEED makes a run
# repeatable as far as emulation allows. Long: about 40 s a cut.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cuts=${CUTS:-30}
RANDOM=${SEED:-$(date +%s)}
echo "seed ${SEED:-$RANDOM}"

condition() {
  cstl -C "$work" -o json mini status | python3 -c '
import json, sys
print(next(m["condition"] for m in json.load(sys.stdin)["machines"] if m["name"] == sys.argv[1]))
' "$1"
}

# Seconds with one decimal, below $1.
random_seconds() { awk -v n=$((RANDOM % ($1 * 10))) 'BEGIN { printf "%.1f", n / 10 }'; }

fresh_disk() {
  cstl -C "$work" mini stop "$1" >/dev/null
  rm -f "$work/cstl-mini/$1/state.img"
}

# Whatever the control plane's disk is after a cut, the operator gets it to serve: init again, or recover.
complete_control_plane() {
  local end=$((SECONDS + 240)) now
  while [ $SECONDS -lt $end ]; do
    now=$(condition control-plane-0)
    case $now in
      serving) return 0 ;;
      'waits for init') cstl -C "$work" init >/dev/null || sleep 1 ;;
      'waits for its disk key') cstl -C "$work" recover >/dev/null || sleep 1 ;;
      *) sleep 0.5 ;;
    esac
  done
  echo "control-plane-0 is still '$now'" >&2
  return 1
}

cut_init() {
  fresh_disk control-plane-0
  cstl -C "$work" mini start control-plane-0 >/dev/null
  # Half of the cuts fall into boot and format, half into what follows init.
  if [ $((RANDOM % 2)) -eq 0 ]; then
    moment="$(random_seconds 14) s after power-on"
    sleep "${moment%% *}"
  else
    wait_condition control-plane-0 'waits for init' 120
    cstl -C "$work" init >/dev/null 2>&1 &
    local client=$!
    moment="$(random_seconds 14) s after init began"
    sleep "${moment%% *}"
    kill "$client" 2>/dev/null || true
    wait "$client" 2>/dev/null || true
  fi
  cstl -C "$work" mini stop control-plane-0 >/dev/null
  cstl -C "$work" mini start control-plane-0 >/dev/null
  complete_control_plane
}

cut_worker() { # fresh: the cut falls into first boot, join and re-key; otherwise into the rejoin
  if [ "$1" = fresh ]; then fresh_disk worker-0; else cstl -C "$work" mini stop worker-0 >/dev/null; fi
  cstl -C "$work" mini start worker-0 >/dev/null
  moment="$(random_seconds 24) s after power-on ($1)"
  sleep "${moment%% *}"
  cstl -C "$work" mini stop worker-0 >/dev/null
  cstl -C "$work" mini start worker-0 >/dev/null
  wait_condition worker-0 serving 240
}

configure workers=1
cstl -C "$work" mini up
for i in $(seq 1 "$cuts"); do
  current_step="cut $i"
  begin=$SECONDS
  case $((i % 3)) in
    0) what='control plane'; cut_init ;;
    1) what='worker, fresh'; cut_worker fresh ;;
    2) what='worker, sealed'; cut_worker sealed ;;
  esac
  # A control plane made anew is another cluster: the worker that follows must be fresh (it is: 0 is followed by 1).
  printf 'cut %2d of %d  %-15s %-40s completed after %d s\n' "$i" "$cuts" "$what" "$moment" $((SECONDS - begin))
done
echo "$cuts power cuts, every line completed"
