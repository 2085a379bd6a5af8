#!/usr/bin/env bash
# The MRTDs that `cstl measure` predicts for Debian's OVMF, which has TDX metadata, are those of an independent calculation;
# and one changed byte of what is measured changes them in both.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools/deps/image.sh
firmware=$(tools/deps/image.sh --print-prefix)/usr/share/ovmf/OVMF.fd
build=${CSTL_BUILD:-build/release}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if [ -z "${CSTL_PROGRAM:-}" ]; then
  ninja -C "$build" cstl >"$tmp/build.log" 2>&1 || { cat "$tmp/build.log"; exit 1; }
fi
cstl=${CSTL_PROGRAM:-$build/cstl}

measured() { # firmware: one MRTD per line, as we predict them
  "$cstl" measure --variant tdx --id ovmf --image tests/data/uki/small.efi --firmware "$1" |
    python3 -c 'import json, sys; print("\n".join(json.load(sys.stdin)["sets"][0]["tdx"]["mr_td"]))'
}

python3 tests/differential/tdx/mrtd.py "$firmware" >"$tmp/theirs"
measured "$firmware" >"$tmp/ours"
[ "$(wc -l <"$tmp/ours")" = 2 ]
diff "$tmp/ours" "$tmp/theirs"

cp "$firmware" "$tmp/changed.fd"
chmod u+w "$tmp/changed.fd"
printf 'X' | dd of="$tmp/changed.fd" bs=1 seek=$(($(stat -c %s "$firmware") - 8)) conv=notrunc status=none
measured "$tmp/changed.fd" >"$tmp/changed"
if cmp -s "$tmp/changed" "$tmp/ours"; then
  echo "a changed byte of the firmware does not show"
  exit 1
fi
python3 tests/differential/tdx/mrtd.py "$tmp/changed.fd" | diff "$tmp/changed" -
echo "MRTDs of $(basename "$firmware") agree"
