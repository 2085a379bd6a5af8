#!/usr/bin/env bash
# The line without Kubernetes, in virtual machines: measured boot, attested init and join, verification from outside, a tampered
# machine refused, reboot and rejoin, power loss and recovery. Ends with a table of its steps.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

machine_boots() { cstl -C "$work" mini up --boot-only; }

# The expected PCR values again, from the file alone: they must be what the first step computed.
measure_again() {
  cstl -o json measure --image "$image" --ek-root "$work/cstl-mini/ca/issuercert.pem" | python3 -c '
import json, sys
for pcr, value in sorted(json.load(sys.stdin)["sets"][0]["pcrs"].items(), key=lambda item: int(item[0])):
    print("PCR %2s  %s" % (pcr, value["expected"][0]))
'
}

initialise() { cstl -C "$work" init; }
worker_joins() { wait_condition worker-0 serving 120; }
verify_all() { cstl -C "$work" verify; }

# The same machines, another cluster's ID: exit code 5 and the claim that differs.
wrong_cluster() {
  local status=0
  cstl -C "$work" verify --cluster-id "$(printf '0%.0s' {1..64})" >"$work/wrong.txt" || status=$?
  grep cluster_mismatch "$work/wrong.txt" | head -n 1
  [ "$status" -eq 5 ]
}

# One byte of the initramfs, a letter of some program's help text: the machine would work all the same.
tamper() {
  zstd -dqc "$images"/initramfs.cpio.zst >"$work/initramfs.cpio"
  python3 - "$work/initramfs.cpio" <<'PYTHON'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[data.index(b"Usage: ")] ^= 0x20
open(sys.argv[1], "wb").write(data)
PYTHON
  zstd -q --no-progress -19 "$work/initramfs.cpio" -o "$work/tampered.cpio.zst"
  initrd/image/mkuki.sh "$work/tampered.efi" --initrd "$work/tampered.cpio.zst" >/dev/null
}

tampered_is_refused() {
  tamper
  local mark
  mark=$(console_mark control-plane-0)
  cstl -C "$work" mini add rogue --role worker --image "$work/tampered.efi" --untrusted
  wait_console control-plane-0 'pcr9.*initrd' 120 "$mark"
  tail -c +$((mark + 1)) "$work/cstl-mini/control-plane-0/serial.log" | grep -aE 'pcr9.*initrd' | head -n 1
  cstl -C "$work" mini stop rogue
}

worker_rejoins() {
  local mark
  cstl -C "$work" mini stop worker-0
  mark=$(console_mark worker-0)
  cstl -C "$work" mini start worker-0
  wait_condition worker-0 serving 120
  wait_console worker-0 'state\.mounted boots=2' 5 "$mark"
  echo "the counter on worker-0's state disk says that this is its second boot"
}

power_loss() {
  cstl -C "$work" mini stop worker-0 control-plane-0
  cstl -C "$work" mini start control-plane-0 worker-0
  wait_condition control-plane-0 'waits for its disk key' 120
}

recover() {
  cstl -C "$work" recover
  wait_condition control-plane-0 serving 120
  wait_condition worker-0 serving 120
}

step "configure" configure workers=1
step "boot a control plane and a worker: OVMF, swtpm, UKI, state disk" machine_boots
step "compute the expected PCR values from the image file alone" measure_again
step "cstl init: attest the control plane, then trust it" initialise
step "the worker joins by itself" worker_joins
step "cstl verify: both machines, from outside" verify_all
step "cstl verify with another clusterID fails" wrong_cluster
step "a machine with one byte of its initramfs changed is refused (PCR 9)" tampered_is_refused
step "the worker reboots and rejoins; its state disk is still there" worker_rejoins
step "all machines lose power; the control plane waits for its key" power_loss
step "cstl recover: the control plane is back, the worker rejoins" recover
step "cstl verify again" verify_all
step "cstl mini down" cstl -C "$work" mini down
echo "the whole line holds"
