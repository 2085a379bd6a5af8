#!/bin/bash
# dracut module 90cstl: an initramfs whose PID 1 is cstl-init, and nothing else.
#
#   dracut --modules cstl --no-hostonly --kver RELEASE OUT.img
#
# Copy this folder with its links followed (cp -rL) to
# /usr/lib/dracut/modules.d/90cstl. The programs are taken from
# /usr/lib/cstl, or from the folder that cstl_programs names in dracut.conf.d
# or the environment; cstl_platforms names the platforms (see modules.list).
# Other dracut modules don't run: PID 1 is ours and runs no hooks.

# shellcheck disable=SC2154  # moddir, initdir, kernel, srcmods are dracut's

check() {
  require_binaries depmod xz mkfs.ext4 e2fsck || return 1
  return 255    # only when it is asked for
}

depends() {
  return 0
}

install() {
  local programs=${cstl_programs:-/usr/lib/cstl} name file module plain closure
  for name in init bootstrapper joinservice keyservice verificationservice; do
    [[ -x $programs/cstl-$name ]] || {
      dfatal "cstl: $programs/cstl-$name is missing; set cstl_programs to the folder of the programs"
      exit 1
    }
  done
  inst_simple "$programs/cstl-init" /init
  for name in bootstrapper joinservice keyservice verificationservice; do
    inst_simple "$programs/cstl-$name" "/usr/bin/cstl-$name"
  done
  for name in mkfs.ext4 e2fsck; do
    file=$programs/$name
    [[ -x $file ]] || file=$(command -v "$name")
    inst_binary "$(readlink -f "$file")" "/usr/sbin/$name"
  done
  mkdir -p "$initdir"/{dev,proc,sys,run,tmp,root,sysroot,var/lib,etc/cstl}

  # Plain, in load order: PID 1 has no modprobe.
  read -ra platforms <<<"${cstl_platforms:-snp tdx}"
  closure=$("$moddir/closure.sh" "$srcmods" "$kernel" "$moddir/modules.list" "${platforms[@]}") || {
    dfatal "cstl: the kernel modules cannot be listed"
    exit 1
  }
  while read -r module; do
    plain=/usr/lib/modules/$kernel/${module%%.ko*}.ko
    mkdir -p "$initdir${plain%/*}"
    case $module in
      *.xz) xz -dc "$srcmods/$module" ;;
      *.zst) zstd -qdc "$srcmods/$module" ;;
      *.gz) gzip -dc "$srcmods/$module" ;;
      *) cat "$srcmods/$module" ;;
    esac >"$initdir$plain"
    printf '%s\n' "$plain"
  done <<<"$closure" >"$initdir/etc/cstl/modules"
}
