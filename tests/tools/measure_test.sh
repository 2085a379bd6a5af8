#!/usr/bin/env bash
# `cstl measure` agrees with systemd-measure on PCR 11, and with tests/data/predict.py on PCRs 4, 9, 11 and 12: for the
# image as mkuki.sh makes it, and for one with every section that systemd-stub knows how to take. And with the latter on
# RTMR1 of a TD that starts the first from the disk that mkesp.sh makes.
set -euo pipefail
cd "$(dirname "$0")/../.."
cstl=${CSTL:-build/release/cstl}
prefix=$(tools/deps/image.sh --print-prefix)
tools/deps/measure.sh
measure=$(tools/deps/measure.sh --print-prefix)/usr/lib
libraries=$measure/x86_64-linux-gnu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

head -c 100001 "$prefix/stub.efi" >"$tmp/initrd"  # contents don't matter, an odd length does
initrd/image/mkuki.sh "$tmp/plain.efi" --initrd "$tmp/initrd" --kernel-prefix "$prefix"
printf 'microcode' >"$tmp/ucode"
printf -- '-----BEGIN PUBLIC KEY-----\n' >"$tmp/pcrpkey"
printf '{}' >"$tmp/pcrsig"
printf 'BM' >"$tmp/splash"
/usr/bin/python3 -I "$prefix/ukify" build --config=/dev/null --linux="$prefix/vmlinuz" --initrd="$tmp/initrd" \
  --cmdline='  console=ttyS0 quiet  ' --os-release='ID=test' --uname="$(<"$prefix/kernel-release")" \
  --stub="$prefix/stub.efi" --section=.ucode:@"$tmp/ucode" --section=.pcrpkey:@"$tmp/pcrpkey" \
  --section=.pcrsig:@"$tmp/pcrsig" --section=.splash:@"$tmp/splash" --output="$tmp/full.efi" >/dev/null

for uki in plain full; do
  "$cstl" measure --image "$tmp/$uki.efi" --allow-unendorsed-ak --out "$tmp/$uki.json" >/dev/null
  mkdir "$tmp/$uki"
  /usr/bin/python3 - "$tmp/$uki.efi" "$tmp/$uki.json" "$tmp/$uki" <<'EOT'
import json, pefile, subprocess, sys
image, values, out = sys.argv[1:]
for section in pefile.PE(image).sections:
    name = section.Name.rstrip(b"\0").decode().lstrip(".")
    open(f"{out}/{name}", "wb").write(section.get_data()[:section.Misc_VirtualSize])
pcrs = json.load(open(values))["sets"][0]["pcrs"]
ours = {index: (pcr["expected"], [e["digest"] for e in pcr.get("events", [])]) for index, pcr in pcrs.items()}
theirs, events = {}, {}
for line in subprocess.run(["tests/data/predict.py", image], capture_output=True, text=True, check=True).stdout.splitlines():
    *head, digest = line.split()
    if head[0] == "pcr":
        theirs[head[1]] = ([digest], events.get(head[1], []))
    else:
        events.setdefault(head[0], []).append(digest)
if ours != theirs:
    sys.exit(f"{image}: cstl measure {ours}, predict.py {theirs}")
open(f"{out}/ours", "w").write(pcrs["11"]["expected"][0])
EOT
  sections=()
  for name in linux osrel cmdline initrd ucode splash uname sbat pcrpkey; do
    [ ! -e "$tmp/$uki/$name" ] || sections+=("--$name=$tmp/$uki/$name")
  done
  # ":" is the phase that the stub leaves behind.
  theirs=$("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$libraries/systemd" \
    "$measure/systemd/systemd-measure" calculate "${sections[@]}" --bank=sha256 --phase=: | sed -n 's/^11:sha256=//p')
  ours=$(<"$tmp/$uki/ours")
  [ -n "$theirs" ] && [ "$ours" = "$theirs" ] || { echo "$uki: PCR 11 is $ours, systemd-measure says $theirs"; exit 1; }
  echo "$uki: PCR 11 $ours, ${#sections[@]} sections"

  # A NitroTPM's document has the SHA-384 bank.
  "$cstl" measure --image "$tmp/$uki.efi" --variant aws-nitro-tpm --allow-unendorsed-ak --out "$tmp/nitro.json" >/dev/null
  ours=$(/usr/bin/python3 -c 'import json, sys
for pcr, values in json.load(open(sys.argv[1]))["sets"][0]["nitro_pcrs"].items(): print("pcr", pcr, *values)' "$tmp/nitro.json" |
    sort -k 2n)
  theirs=$(tests/data/predict.py --sha384 "$tmp/$uki.efi")
  [ "$ours" = "$theirs" ] || { printf '%s: cstl measure\n%s\npredict.py\n%s\n' "$uki" "$ours" "$theirs"; exit 1; }
  theirs=$("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$libraries/systemd" \
    "$measure/systemd/systemd-measure" calculate "${sections[@]}" --bank=sha384 --phase=: | sed -n 's/^11:sha384=//p')
  grep -qx "pcr 11 $theirs" <<<"$ours" || { echo "$uki: systemd-measure says $theirs"; exit 1; }
done

initrd/image/mkesp.sh "$tmp/esp.img" "$tmp/plain.efi" >/dev/null
"$cstl" measure --variant tdx --image "$tmp/plain.efi" --disk "$tmp/esp.img" --firmware "$prefix/usr/share/ovmf/OVMF.fd" \
  --out "$tmp/td.json" >/dev/null
/usr/bin/python3 - "$tmp/td.json" <(tests/data/predict.py --rtmr1 "$tmp/plain.efi" "$tmp/esp.img") <<'EOT'
import json, sys
rtmrs = json.load(open(sys.argv[1]))["sets"][0]["tdx"]["rtmrs"]
ours = [e["digest"] for e in rtmrs["1"]["events"]] + rtmrs["1"]["expected"]
theirs = [line.split()[-1] for line in open(sys.argv[2])]
if ours != theirs or len(ours) != 8 or "2" not in rtmrs:
    sys.exit(f"RTMR1: cstl measure {ours}, predict.py {theirs}")
print("RTMR1", ours[-1])
EOT
if "$cstl" measure --image "$tmp/plain.efi" --disk "$tmp/esp.img" --allow-unendorsed-ak >/dev/null 2>"$tmp/refused"; then
  echo "--disk was taken for a machine with a TPM"
  exit 1
fi
grep -q 'for TDs' "$tmp/refused"
