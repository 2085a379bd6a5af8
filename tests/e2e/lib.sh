# Sourced by the end-to-end scripts: a workspace, timed steps with a summary, and machines that are gone at the end.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
images=${CSTL_IMAGES:-$root/build/image}  # programs and images of another build may be tried
image=$images/cstl.efi
export PATH=${CSTL_PROGRAMS:-$root/build/release}:$PATH
firmware=$(tools/deps/image.sh --print-prefix)
kubectl=$(tools/kubernetes/build.sh --print-prefix)/bin/kubectl
work=${CSTL_E2E_WORK:-$(mktemp -d "${TMPDIR:-/tmp}/cstl-e2e-XXXXXX")}
step_names=()
step_seconds=()

# Leaves the serial logs where a person finds them, and no machine running, unless CSTL_KEEP is set: then a script that
# goes stage by stage can go on from the one that failed, in the same CSTL_E2E_WORK.
finish() {
  local status=$?
  mkdir -p "$root/build/e2e-logs/$(basename "$0" .sh)"
  for log in "$work"/cstl-mini/*/*.log; do
    [ -e "$log" ] && cp "$log" "$root/build/e2e-logs/$(basename "$0" .sh)/$(basename "$(dirname "$log")")-$(basename "$log")"
  done
  if [ -z "${CSTL_KEEP:-}" ]; then
    cstl -C "$work" mini down >/dev/null 2>&1 || true
    [ -n "${CSTL_E2E_WORK:-}" ] || rm -rf "$work"
  else
    echo "kept: $work"
  fi
  summary
  if [ $status -ne 0 ]; then
    echo "FAILED in step: ${current_step:-start}; logs: build/e2e-logs/$(basename "$0" .sh)/"
    tail -n 15 "$root/build/e2e-logs/$(basename "$0" .sh)"/*serial.log 2>/dev/null || true
  fi
  exit $status
}
trap finish EXIT

summary() {
  [ ${#step_names[@]} -gt 0 ] || return 0
  local total=0 i
  printf '\n%-66s %8s\n' step seconds
  for i in "${!step_names[@]}"; do
    printf '%-66s %8.1f\n' "${step_names[$i]}" "${step_seconds[$i]}"
    total=$(awk -v a="$total" -v b="${step_seconds[$i]}" 'BEGIN { print a + b }')
  done
  printf '%-66s %8.1f\n' total "$total"
}

now() { date +%s.%N; }

# step "what it proves" command…
step() {
  current_step=$1
  shift
  printf '\n== %s\n' "$current_step"
  local begin
  begin=$(now)
  "$@"
  step_names+=("$current_step")
  step_seconds+=("$(awk -v a="$begin" -v b="$(now)" 'BEGIN { print b - a }')")
}

# stage "what it proves" command…: a step that is left out when an earlier run of the same workspace came past it.
stage() {
  if grep -qxF "$1" "$work/stages" 2>/dev/null; then
    echo "== $1: done before"
    return 0
  fi
  step "$@"
  printf '%s\n' "$1" >>"$work/stages"
}

# configure [--kubernetes] KEY=VALUE…: a workspace's configuration with these values in its mini section.
configure() {
  local options=() code vars key
  [ "$1" != --kubernetes ] || { options=("$1"); shift; }
  cstl -C "$work" config generate --name demo --force "${options[@]}"
  code=$(find "$firmware" -name OVMF_CODE_4M.fd -o -name OVMF_CODE.fd | sort | head -n 1)
  vars=$(find "$firmware" -name OVMF_VARS_4M.fd -o -name OVMF_VARS.fd | sort | head -n 1)
  [ ${#options[@]} -eq 0 ] || image=$images/node.efi
  for key in "image=$image" "firmware_code=$code" "firmware_vars=$vars" "root=$images/root.img" "$@"; do
    sed -i -E "s|^(  ${key%%=*}:) .*|\1 ${key#*=}|" "$work/cstl-conf.yaml"
  done
  [ ${#options[@]} -eq 0 ] || sed -i "s|^kubectl: .*|kubectl: $kubectl|" "$work/cstl-conf.yaml"
}

# Waits until a machine is in a condition that `cstl mini status` names, or fails after SECONDS.
wait_condition() { # name, condition, seconds
  local end=$((SECONDS + $3))
  while [ $SECONDS -lt $end ]; do
    if cstl -C "$work" -o json mini status | python3 -c '
import json, sys
name, condition = sys.argv[1:]
sys.exit(not any(m["name"] == name and m["condition"] == condition for m in json.load(sys.stdin)["machines"]))
' "$1" "$2"; then
      return 0
    fi
    sleep 0.5
  done
  echo "$1 did not come to '$2' within $3 s" >&2
  return 1
}

# kubectl as the administrator of the workspace's cluster.
kube() { "$kubectl" --kubeconfig "$work/cstl-admin.conf" --cache-dir "$work/kubectl-cache" "$@"; }

# retry SECONDS command…: until it succeeds; its last output is shown if it never does.
retry() {
  local end=$((SECONDS + $1)) out
  shift
  until out=$("$@" 2>&1); do
    if [ $SECONDS -ge $end ]; then printf '%s\n' "$out" >&2; return 1; fi
    sleep 2
  done
  printf '%s\n' "$out"
}

# Waits until a machine's console shows a line, counted from the size that its log had (see console_mark).
console_mark() { stat -c %s "$work/cstl-mini/$1/serial.log" 2>/dev/null || echo 0; }
wait_console() { # name, extended regular expression, seconds, mark
  local end=$((SECONDS + $3))
  while [ $SECONDS -lt $end ]; do
    tail -c +$(($4 + 1)) "$work/cstl-mini/$1/serial.log" 2>/dev/null | grep -aqE "$2" && return 0
    sleep 0.3
  done
  echo "the console of $1 did not show '$2' within $3 s" >&2
  return 1
}
