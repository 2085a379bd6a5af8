#!/usr/bin/env bash
# A Kubernetes cluster inside measured virtual machines: boot, attested init, kubeadm, attested join, a pod on the worker
# that answers through a Service, pod traffic that crosses the machines' network only as WireGuard, verification from
# outside, a tampered machine refused. Ends with `kubectl get nodes` and a table of its steps.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

machine_boots() {
  cstl -C "$work" mini up --boot-only
  cstl -C "$work" mini capture "$work/lan.pcap"
}
initialise() { cstl -C "$work" init; }
nodes_ready() { cstl -C "$work" mini up; }

# One byte of the initramfs, a letter of some program's help text: the machine would work all the same.
tamper() {
  zstd -dqc "$images"/node-initramfs.cpio.zst >"$work/initramfs.cpio"
  python3 - "$work/initramfs.cpio" <<'PYTHON'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[data.index(b"Usage: ")] ^= 0x20
open(sys.argv[1], "wb").write(data)
PYTHON
  zstd -q --no-progress -3 "$work/initramfs.cpio" -o "$work/tampered.cpio.zst"
  initrd/image/mkuki.sh "$work/tampered.efi" --initrd "$work/tampered.cpio.zst" --cmdline "roothash=$(cat "$images/roothash")" \
    >/dev/null
}

start_tampered() {
  tamper
  cstl -C "$work" mini add rogue --role worker --image "$work/tampered.efi" --untrusted
}

pod_answers() {
  kube apply -f tests/e2e/hello.yaml
  # From the API server's host, on the control plane, to the pod on the worker: through the Service, across the machines.
  retry 240 kube get --raw /api/v1/namespaces/default/services/hello:http/proxy/ | tee "$work/answer.txt"
  grep -q '^hello from ' "$work/answer.txt"
  kube get pods -o wide
  kube get pods -o 'jsonpath={.items[0].spec.nodeName}' | grep -qx worker-0
}

only_wireguard() {
  cstl -C "$work" mini capture --stop
  python3 tests/e2e/capture.py "$work/lan.pcap" --pods 10.244.0.0/16 --services 10.96.0.0/16
}

nodes_in_kubernetes() { kube get cstlnodes,nodes -o wide; }

# The joinservice tells why in its log; the machine learns it too, and stays outside.
tampered_is_refused() {
  wait_console rogue 'pcr9 .initrd. differs' 240 0
  grep -aE 'pcr9 .initrd. differs' "$work/cstl-mini/rogue/serial.log" | head -n 1
  [ -z "$(kube get --ignore-not-found -o name node rogue)$(kube get --ignore-not-found -o name cstlnode rogue)" ]
  cstl -C "$work" mini remove rogue
}

step "configure" configure --kubernetes workers=1
step "boot a control plane and a worker: OVMF, swtpm, UKI, verity root" machine_boots
step "cstl init: attest the control plane, then kubeadm init on it" initialise
step "the worker attests itself and joins; every node is Ready" nodes_ready
step "start a machine with one byte of its initramfs changed" start_tampered
step "a pod on the worker answers through a Service" pod_answers
step "between the machines, pod traffic is WireGuard and nothing else" only_wireguard
step "cstl verify: both machines, from outside" cstl -C "$work" verify
step "kubectl shows the records of attested nodes" nodes_in_kubernetes
step "the changed machine is refused (PCR 9)" tampered_is_refused
step "kubectl get nodes" kube get nodes -o wide
step "cstl mini down" cstl -C "$work" mini down
echo "a Kubernetes cluster of measured machines"
