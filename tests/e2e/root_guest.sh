#!/bin/sh
# Stands where the bootstrapper stands, in the root of tests/e2e/root_test.sh only (busybox): looks at what PID 1
# prepared, asks it for programs, says "guest.check ok=yes|no …" for each sentence, and leaves the end of the boot to disk_guest.
say() { echo "root-guest: guest.check ok=$1 what=\"$2\""; }
check() { # sentence, command…
  what=$1
  shift
  if "$@" >/tmp/check 2>&1; then say yes "$what"; else say no "$what"; cat /tmp/check; fi
}
fails() { ! "$@"; }
has() { grep -q -- "$2" "$1" || { tail -n 20 "$1"; return 1; }; }
is() { [ "$(cat "$1")" = "$2" ]; }

u16() { printf "\\$(printf %03o $(($1 >> 8)))\\$(printf %03o $(($1 & 255)))"; }
u32() { u16 $(($1 >> 16)); u16 $(($1 & 65535)); }
# start NAME ARGUMENT…: start_request on the monitor socket; gives the answer's type, and the code of an error
start() {
  name=$1
  printf %s "$2" >/tmp/arguments
  shift 2
  for argument; do printf '\0%s' "$argument" >>/tmp/arguments; done
  size=$(wc -c </tmp/arguments)
  {
    u32 $((8 + ${#name} + size))
    printf '\001\063'
    u16 ${#name}
    printf %s "$name"
    u32 "$size"
    cat /tmp/arguments
  } >/tmp/frame
  cat /tmp/frame >&3
  head=$(dd bs=1 count=6 <&3 2>/dev/null | xxd -p)
  left=$((0x$(echo "$head" | cut -c1-8) - 2))
  body=
  [ $left -eq 0 ] || body=$(dd bs=1 count=$left <&3 2>/dev/null | head -c 2 | xxd -p)
  echo "$((0x$(echo "$head" | cut -c11-12)))${body:+ $((0x$body))}" >/tmp/answer
}
answers() { want=$1; shift; start "$@"; is /tmp/answer "$want"; }
within() { # seconds, command…
  end=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt $end ] || return 1
    sleep 0.2
  done
}
lines() { [ "$(grep -c "$2" "$1")" -ge "$3" ]; }

# --- the root -------------------------------------------------------------------------------------------------------
on_erofs() { awk '$5 == "/"' /proc/1/mountinfo | grep -q ' - erofs .*ro'; }
alone() { [ "$(awk '$5 == "/"' /proc/1/mountinfo | wc -l)" -eq 1 ] && [ ! -e /init ] && [ ! -e /sysroot ]; }
pivots() {
  unshare -m sh -c 'mount --make-rprivate / && mount -t tmpfs t /tmp && mkdir -p /tmp/bin /tmp/old &&
    cp /bin/busybox /tmp/bin/ && cd /tmp && pivot_root . old && /bin/busybox chroot . /bin/busybox umount -l /old &&
    [ ! -e /usr ]'
}
check "PID 1's root is the verity root, read-only" on_erofs
check 'and nothing of the initramfs is left to be named' alone
check 'a container can pivot_root' pivots
check 'mounts are shared' has /proc/self/mountinfo '/ / ro.* shared:'

# --- places ---------------------------------------------------------------------------------------------------------
for folder in /var /var/log /var/tmp /opt /etc/kubernetes /etc/cni /tmp /dev/shm /run; do
  check "$folder can be written" touch "$folder/witness"
done
check '/usr cannot be written' fails touch /usr/witness
cp /bin/busybox /opt/true
cp /bin/busybox /etc/kubernetes/true
cp /bin/busybox /tmp/true
check 'programs run from /opt' /opt/true true
check 'but not from /etc/kubernetes' fails /etc/kubernetes/true true
check 'nor from /tmp' fails /tmp/true true
rm /opt/true /etc/kubernetes/true /tmp/true
check '/var is on the state disk' has /proc/self/mountinfo '/var /var .*ext4 /dev/mapper/cstl-state'
check 'the pids of others are in /run by both names' test /var/run/witness -ef /run/witness
check 'there are pseudo terminals' test -c /dev/pts/ptmx
check '/dev/fd' test -e /dev/fd/0

# --- names ----------------------------------------------------------------------------------------------------------
check 'the host name' is /etc/hostname "$(hostname)"
check 'hosts' has /etc/hosts "^10.0.2.15 $(hostname)\$"
check 'localhost' ping -c 1 -W 5 localhost
check 'resolv.conf' has /etc/resolv.conf '^nameserver 10.0.2.3$'
check 'the machine-id is the disk' is /etc/machine-id "$(echo "$2" | tr -d -)"

# --- control groups, settings, modules ------------------------------------------------------------------------------
mkdir -p /sys/fs/cgroup/kubepods
check 'PID 1 has its control group' is /proc/1/cgroup 0::/init
check 'the bootstrapper too' is /proc/self/cgroup 0::/system/bootstrapper
for controller in cpu cpuset io memory pids; do
  check "$controller is for the kubelet's groups" has /sys/fs/cgroup/kubepods/cgroup.controllers "$controller"
done
rmdir /sys/fs/cgroup/kubepods
for setting in net/ipv4/ip_forward=1 net/ipv4/conf/all/rp_filter=1 net/bridge/bridge-nf-call-iptables=1 \
  vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 \
  kernel/keys/root_maxbytes=25000000 kernel/unprivileged_bpf_disabled=1 kernel/core_pattern=; do
  check "$setting" is "/proc/sys/${setting%%=*}" "${setting#*=}"
done
check 'br_netfilter came from the root' has /proc/modules '^br_netfilter '
check 'no swap' lines /proc/swaps Filename 1
check 'the bootstrapper is kept from the OOM killer' is /proc/self/oom_score_adj -999

# --- programs -------------------------------------------------------------------------------------------------------
check 'a program is started' answers 52 ticker /usr/bin/ticker 'one argument' two
check 'its output goes to its log' within 20 has /var/log/ticker.log 'arguments=2 one argument two'
check 'it is a session of its own' within 20 has /var/log/ticker.log 'leader=yes'
check 'it has its own control group' within 20 has /var/log/ticker.log 'cgroup=0::/system/ticker'
check 'it is kept from the OOM killer' within 20 has /var/log/ticker.log 'oom=-999'
check 'it has PATH, HOME and LC_ALL only' within 20 has /var/log/ticker.log 'environment=HOME LC_ALL PATH $'
check 'it has no descriptor of PID 1' within 20 has /var/log/ticker.log 'descriptors=0 1 2 $'
check 'it may open many files' within 20 has /var/log/ticker.log 'files=1048576'
check 'it is started again when it ends' within 20 lines /var/log/ticker.log 'arguments=2' 2
check 'another request replaces it' answers 52 ticker /usr/bin/ticker stay
check 'at once' within 5 has /var/log/ticker.log 'arguments=1 stay'
pid=$(sed -n 's/^pid=//p' /var/log/ticker.log | tail -n 1)
check 'it runs' kill -0 "$pid"
check 'and once more' answers 52 ticker /usr/bin/ticker stay again
check 'the earlier one was ended' fails kill -0 "$pid"
check 'a program that is not there is an error' answers '255 107' missing /usr/bin/missing
check 'so is a relative path' answers '255 105' relative ticker

exec /usr/bin/disk_guest "$@"
