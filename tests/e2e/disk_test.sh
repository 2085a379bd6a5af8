#!/usr/bin/env bash
# The state disk under cstl-init, in virtual machines (direct kernel boot, swtpm): first boot, seal, unlock by recovery
# and its refusals, foreign and damaged disks, no TPM, a verity root, a 1 TiB disk, power cuts. tests/e2e/disk_guest.cc
# stands where the bootstrapper stands. CUTS (default 3): power cuts of first boot and seal. Logs: build/e2e-logs/disk_test/.
# shellcheck source=tests/e2e/guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"
mkdir "$work/programs"
cp "$programs/disk_guest" "$work/programs/cstl-bootstrapper"
make_initramfs --program "$work/programs/cstl-bootstrapper"

head_of() { head -c 32768 "$1" | sha256sum; }
opens() { cryptsetup open --test-passphrase --type luks2 --key-file - "$1"; }
uuid() { cryptsetup luksUUID "$1"; }

# refused DISK WHAT: refused with disk_header, and not a byte changed
refused() {
  local before
  before=$(sha256sum <"$2")
  boot "refuse-disk" "$2"
  until_off
  check "$1 is refused with disk_header" grep -q 'boot.failed.*code=disk_header' "$log"
  check "$1 is not written to" [ "$before" = "$(sha256sum <"$2")" ]
}

# --- first boot, seal, reboot ---------------------------------------------------------------------------------------
disk=$work/disk
fresh_disk "$disk" 4G
boot seal "$disk"
check 'a blank disk is formatted, mounted and sealed' until_line 'guest.seal code=ok'
check 'the machine powers off when asked' until_off
check 'no I/O error on the first boot' no_io_error
cp --sparse=always "$disk" "$work/sealed"
check "Debian's cryptsetup opens it with the derived passphrase" \
  opens "$disk" < <("$programs/disk_recover" passphrase "$(uuid "$disk")")
check "and with no other" eval "! opens $disk < <(printf %064d 0) 2>/dev/null"

boot seal "$disk"
check 'a sealed disk waits for its key' until_line 'recovery.listening'
check "another owner's signature is refused" recover_says owner owner_signature
check 'a wrong disk key is refused' recover_says key disk_key
check 'a wrong measurement key is refused' recover_says cluster cluster_mismatch
check 'rejoin asks meanwhile, and goes on when nobody answers' grep -q 'rejoin.refused joinservice=10.0.2.2:1 ' "$log"
check 'both children keep to their system calls' eval "! grep -q child_ended '$log'"
check 'the right keys unlock it after all that' recover_says right ok
check 'the witness is there' until_line 'guest.sealed witness=still-here'
check 'PCR 15 is the cluster before the bootstrapper runs' grep -Eq 'pcr15=[0-9a-f]*[1-9a-f]' "$log"
until_off || true
check 'no I/O error after the unlock' no_io_error

# --- refusals -------------------------------------------------------------------------------------------------------
fresh_disk "$disk" 1G
boot refuse-seal "$disk"
check 'a disk without node state is not sealed' until_line 'seal_failed.*code=not_found'
until_off || true
boot hold "$disk"
check 'and is fresh at the next boot' until_line 'disk.found.*state=fresh'
check 'and is formatted anew' until_line 'guest.fresh'

fresh_disk "$work/foreign" 256M
mkfs.ext4 -q "$work/foreign"
refused 'an ext4 disk' "$work/foreign"
fresh_disk "$work/foreign" 256M
printf %s 'label: gpt' | sfdisk -q "$work/foreign" >/dev/null
refused 'a partitioned disk' "$work/foreign"
fresh_disk "$work/foreign" 256M
printf 0123 | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$work/foreign" -
refused "someone else's LUKS2 disk" "$work/foreign"
printf x | dd of="$work/sealed" bs=1 seek=5000 conv=notrunc status=none
printf x | dd of="$work/sealed" bs=1 seek=21384 conv=notrunc status=none
boot damaged "$work/sealed"
until_off || true
check 'a sealed disk with both copies damaged is refused' grep -q 'code=disk_header site=luks.checksum' "$log"
fresh_disk "$work/small" 64M
boot small "$work/small"
until_off || true
check 'a disk that is too small is refused' grep -q 'code=no_space site=disk.too_small' "$log"
boot read-only "$disk" read-only
until_off || true
check 'a write-protected disk is refused' grep -q 'boot.failed.*code=no_space' "$log"
boot no-tpm "$disk" no-tpm
until_off || true
check 'a machine without TPM says so' grep -q 'boot.failed.*code=tpm_missing' "$log"

# --- a root under dm-verity ------------------------------------------------------------------------------------------
mkdir -p "$work"/tree/{usr/bin,usr/sbin,dev,proc,sys,run,tmp,var,opt,etc/kubernetes,etc/cni}
mv "$work/programs/cstl-bootstrapper" "$work/tree/usr/bin/"
initrd/image/mkverity.sh "$work/root" "$work/tree" --all-root
fresh_disk "$disk" 1G
boot seal "$disk" root "roothash=$(tr 0-9a-f 1-9a-f0 <"$work/root/roothash")"
until_off || true
check 'a root with another hash is refused before anything of it is used' grep -q 'boot.failed.*code=root_hash' "$log"
boot seal "$disk" root "roothash=$(cat "$work/root/roothash")"
check 'a root with its hash becomes the root, and its programs run' until_line 'programs.chosen from=root'
check 'and they see the state disk' until_line 'guest.seal code=ok'
until_off || true
check 'which is closed at the end' eval "! grep -q 'still in use' '$log'"

# --- size -----------------------------------------------------------------------------------------------------------
fresh_disk "$work/huge" 1T
boot hold "$work/huge"
until_line 'disk.found' || true
before=$(cpu)
check 'a 1 TiB disk is formatted and in use' until_line 'guest.fresh'
seconds=$(awk -v a="$before" -v b="$(cpu)" 'BEGIN { printf "%.1f", b - a }')
check "within 15 s of emulated time ($seconds s)" awk -v s="$seconds" 'BEGIN { exit !(s < 15) }'
check 'without an I/O error' no_io_error
stop
rm "$work/huge"

# --- power cuts -----------------------------------------------------------------------------------------------------
for cut in $(seq "${CUTS:-3}"); do
  fresh_disk "$disk" 2G
  boot "seal" "$disk"
  until_line 'disk.found' || true
  moment=$(awk -v r=$RANDOM 'BEGIN { printf "%.1f", r / 32768 * 10 }')
  sleep "$moment"
  reached=$(tail -n 1 "$log" | cut -c1-60)
  boot "seal" "$disk"
  until_line 'disk.found' || true
  state=$(sed -nE 's/.*disk.found.*state=([a-z]+).*/\1/p' "$log")
  if [ "$state" = sealed ]; then
    until_line 'recovery.listening' || true
    check "cut $cut after $moment s ($reached): sealed, opens" recover_says right ok
    check "cut $cut: and works" until_line 'guest.sealed witness=still-here'
  else
    check "cut $cut after $moment s ($reached): $state, formats and seals" until_line 'guest.seal code=ok'
  fi
  check "cut $cut: no I/O error" no_io_error
done

finish
