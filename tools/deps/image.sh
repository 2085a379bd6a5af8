#!/usr/bin/env bash
# Fetches what the machine image is made of (kernel, stub, firmware, ukify) from
# Debian and unpacks it into the cache. "--print-prefix" prints where.
# Stable names in the prefix: vmlinuz, kernel-release, modules, stub.efi,
# addon.efi, ukify, OVMF_CODE.fd, OVMF_VARS.fd.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$DEPS_DIR/unpack.sh"

finish_set() {
  local kernels=(boot/vmlinuz-*) release
  [ ${#kernels[@]} -eq 1 ] || die "image: expected one kernel, found: ${kernels[*]}"
  release=${kernels[0]#boot/vmlinuz-}
  printf '%s\n' "$release" >kernel-release
  ln -s "${kernels[0]}" vmlinuz
  ln -s "usr/lib/modules/$release" modules
  ln -s usr/lib/systemd/boot/efi/linuxx64.efi.stub stub.efi
  ln -s usr/lib/systemd/boot/efi/addonx64.efi.stub addon.efi
  ln -s usr/bin/ukify ukify
  ln -s usr/share/OVMF/OVMF_CODE_4M.fd OVMF_CODE.fd
  ln -s usr/share/OVMF/OVMF_VARS_4M.fd OVMF_VARS.fd
  local f
  for f in vmlinuz modules stub.efi addon.efi ukify OVMF_CODE.fd OVMF_VARS.fd; do
    [ -e "$f" ] || die "image: $f -> $(readlink "$f") does not exist in the packages"
  done
}

unpack_set image "$@"
