#!/usr/bin/env bash
# Seconds from power-on of a virtual machine to each stage of its first boot, and what the state disk costs by size.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"

# Follows a console from the moment its machine starts: prints each stage once, with the seconds since then.
stages() { # name
  python3 - "$work/cstl-mini/$1/serial.log" <<'PYTHON'
import re, sys, time
begin = time.time()
stages = [("firmware starts the image", rb"BdsDxe: starting"), ("kernel measures the initramfs", rb"Measured initrd"),
          ("cstl-init runs", rb"boot\.started"), ("state disk: LUKS2 formatted", rb"disk\.formatted[^\n]*milliseconds=(\d+)"),
          ("state disk: zeros, mkfs, mounted", rb"disk\.populated milliseconds=(\d+)"),
          ("bootstrapper waits for init", rb"waiter\.waiting")]
seen, previous = 0, 0.0
while seen < len(stages) and time.time() - begin < 120:
    try:
        data = open(sys.argv[1], "rb").read()
    except FileNotFoundError:
        data = b""
    match = re.search(stages[seen][1], data)
    if match:
        now = time.time() - begin
        extra = "  (took %.1f s)" % (int(match[1]) / 1000) if match.groups() else ""
        print("  %-32s %6.1f s  (+%.1f)%s" % (stages[seen][0], now, now - previous, extra), flush=True)
        previous, seen = now, seen + 1
    else:
        time.sleep(0.05)
sys.exit(seen < len(stages))
PYTHON
}

configure 0
for gib in 4 1024; do
  sed -i "s|^  disk_gib: .*|  disk_gib: $gib|" "$work/cstl-conf.yaml"
  echo "first boot, state disk of $gib GiB:"
  cstl -C "$work" mini up --boot-only >/dev/null 2>&1 &
  starter=$!
  while [ ! -e "$work/cstl-mini/control-plane-0/qemu.pid" ]; do sleep 0.02; done
  stages control-plane-0
  wait "$starter"
  cstl -C "$work" mini down >/dev/null
done
