#!/usr/bin/env bash
# A node's root under cstl-init, in virtual machines: the switch of root, what PID 1 prepares in it, the programs that
# it runs on request, and the way down, after which the state disk is clean. tests/e2e/root_guest.sh stands where the
# bootstrapper stands. Logs: build/e2e-logs/root_test/.
# shellcheck source=tests/e2e/guest.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"
make_initramfs

# --- the root: busybox, the guest, and a few modules of the kernel ----------------------------------------------------
tree=$work/tree
mkdir -p "$tree"/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,run,tmp,var,opt,root,etc/kubernetes,etc/cni,etc/cstl}
cp /bin/busybox "$tree/bin/"
for name in $("$tree/bin/busybox" --list); do [ -e "$tree/bin/$name" ] || ln -s busybox "$tree/bin/$name"; done
for name in hosts hostname machine-id resolv.conf; do ln -s "/run/cstl/etc/$name" "$tree/etc/$name"; done
cp tests/e2e/root_guest.sh "$tree/usr/bin/cstl-bootstrapper"
cp "$programs/disk_guest" "$tree/usr/bin/"
cat >"$tree/usr/bin/ticker" <<'EOF'
#!/bin/sh
[ "$(cut -d' ' -f6 /proc/$$/stat)" = $$ ] && leader=yes
echo "arguments=$# $*"
echo "pid=$$"
echo "leader=$leader cgroup=$(cat /proc/self/cgroup)"
echo "oom=$(cat /proc/self/oom_score_adj) files=$(ulimit -n)"
echo "environment=$(tr '\0' '\n' </proc/$$/environ | cut -d= -f1 | sort | tr '\n' ' ')"
ls /proc/$$/fd >/tmp/descriptors
echo "descriptors=$(grep -v '^1.$' /tmp/descriptors | tr '\n' ' ')" # the shell's own are 10 and 11
[ "$1" = stay ] || exit 3
exec sleep 3600
EOF
chmod 0755 "$tree/usr/bin/ticker" "$tree/usr/bin/cstl-bootstrapper"
release=$(cat "$firmware/kernel-release")
printf 'br_netfilter\noverlay\n' >"$work/list"
initrd/image/closure.sh "$firmware/modules" "$release" "$work/list" | while read -r module; do
  mkdir -p "$tree/usr/lib/modules/$(dirname "$module")"
  xz -dc "$firmware/modules/$module" >"$tree/usr/lib/modules/${module%.xz}"
  echo "/usr/lib/modules/${module%.xz}"
done >"$work/node-modules"
mv "$work/node-modules" "$tree/etc/cstl/node-modules"
initrd/image/mkverity.sh "$work/root" "$tree" --all-root
roothash=roothash=$(cat "$work/root/roothash")

# --- first boot -------------------------------------------------------------------------------------------------------
sentences() { # the guest's, as our own
  while read -r ok what; do check "$what" [ "$ok" = yes ]; done \
    < <(tr -d '\r' <"$log" | sed -nE 's/.*guest.check ok=([a-z]+) what="(.*)"$/\1 \2/p')
}
disk=$work/disk
fresh_disk "$disk" 2G
boot seal "$disk" root "$roothash"
check 'the verity root becomes the root' until_line 'programs.chosen from=root'
check 'the node is prepared' until_line 'node.prepared'
check 'no setting is refused' eval "! grep -q 'sysctl.refused' '$log'"
check 'no module is refused' eval "! grep -q 'module.refused' '$log'"
check 'the disk is sealed from the root' until_line 'guest.seal code=ok'
check 'the machine powers off, without a process in its way' until_off
check 'soon' eval "! grep -q 'machine.process_stuck' '$log'"
sentences
check 'the guest came to its end' grep -q 'what="so is a relative path"' "$log"
check 'the disk is closed at the end' eval "! grep -q 'still in use' '$log'"
check 'no I/O error' no_io_error

# --- second boot: what was written is there --------------------------------------------------------------------------
boot again "$disk" root "$roothash loglevel=7"
check 'the sealed disk waits for its key' until_line 'recovery.listening'
check 'and is unlocked' recover_says right ok
check 'the witness is there' until_line 'guest.sealed witness=still-here'
until_off || true
check 'the first boot left a clean file system' eval "! grep -q 'EXT4-fs.*recovery' '$log'"
check 'which is what was looked for' grep -q 'EXT4-fs.*mounted filesystem' "$log"
sentences
finish
