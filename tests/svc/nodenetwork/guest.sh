#!/bin/sh
# PID 1 of the virtual machine of tests/svc/nodenetwork_test.sh. A bridge is the network between machines, each network
# namespace n1, n2, n3 a node, p1, q1, p2 their pods, x a stranger on the wire. Prints "ok"/"FAIL" for each check, last
# RESULT.
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
bb=/usr/bin/busybox
$bb mkdir -p /bin /var /run/cstl /tmp
$bb ln -s /run /var/run
$bb --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "$module" || echo "insmod $module failed"; done </etc/cstl/modules
guest=/usr/bin/nodenetwork_guest
failed=0

finish() { # RESULT
  cat /tmp/agent1 /tmp/agent2 /tmp/agent3 | grep -v ' round ' | head -n 20
  echo "RESULT $1"
  poweroff -f
}
check() { # NAME EXPECTED ACTUAL
  if [ -n "$2" ] && [ "$2" = "$3" ]; then echo "ok   $1 ($(now) s)"; else echo "FAIL $1: expected '$2', got '$3'"; failed=1; fi
}
ip() { /usr/sbin/ip "$@"; }                     # not busybox's own, which knows no namespaces
in_ns() { # NAMESPACE COMMAND…
  ip netns exec "$@"
}
now() { cut -d. -f1 /proc/uptime; }
until_true() { # SECONDS COMMAND…
  limit=$(($(now) + $1))
  shift
  while ! "$@" >/dev/null 2>&1; do
    [ "$(now)" -lt $limit ] || return 1
    usleep 100000
  done
}

# --- the wire and the nodes
ip link add br0 type bridge
ip address add 10.0.2.2/24 dev br0
ip link set br0 up
ip link set lo up
machine() { # NAMESPACE PORT ADDRESS
  ip netns add "$1"
  ip link add "$2" type veth peer name eth0 netns "$1"
  ip link set "$2" master br0 up
  in_ns "$1" sh -c "echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
    for c in all default; do echo 1 >/proc/sys/net/ipv4/conf/\$c/rp_filter; done
    ip link set lo up; ip link set eth0 up; ip address add $3/24 dev eth0; ip route add default via 10.0.2.2"
}
for n in 1 2 3; do machine n$n l$n 10.0.2.1$n; mkdir -p /n$n/cni; done
machine x lx 10.0.2.66
$guest capture l1 >/tmp/wire &

key1=e06Qm75//kTEZaIgA31gjuNYl9Me+XLwf3SJLLD3PxM= key2=D6poTtKIZ7l/Smot7l34zpdOdrcBjj8iocTPJnhXDyA=
key4=/y7kVgHsG2cxDHeQQEWFrmlzMe7hwfjPJBlzHB//Pms=
echo EBEREREREREREREREREREREREREREREREREREREREVE= >/n1/key
echo ICIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiImI= >/n2/key
echo MDMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzM3M= >/n3/key

node() { # NAME NUMBER
  echo "{\"kind\":\"Node\",\"metadata\":{\"name\":\"$1\",\"creationTimestamp\":\"2026-01-01T00:00:0$2Z\"},\"spec\":{\"podCIDR\":\"10.244.$2.0/24\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"10.0.2.1$2\"}]}}"
}
record() { # NAME NUMBER KEY
  echo "{\"kind\":\"CstlNode\",\"metadata\":{\"name\":\"$1\"},\"spec\":{\"address\":\"10.0.2.1$2\",\"wireguardPublicKey\":\"$3\"}}"
}
publish() { # RECORDS: what the API would say; three never has a record
  { node one 1; node two 2; node three 3; echo "$1"; } >/tmp/objects
  for n in 1 2 3; do cp /tmp/objects /n$n/new; mv /n$n/new /n$n/objects; done
}
start() { # NUMBER NAME
  /usr/sbin/ip netns exec "n$1" $guest agent "$2" "/n$1" 2>>"/tmp/agent$1" &  # which becomes the agent
  eval "agent$1=$!"
}
end() { # NUMBER
  eval "kill -9 \$agent$1"
  eval "wait \$agent$1" 2>/dev/null
}
publish "$(record one 1 $key1; record two 2 $key2)"
start 1 one
start 2 two
start 3 three
until_true 10 test -e /n1/cni/10-cstl.conflist && until_true 10 test -e /n2/cni/10-cstl.conflist || finish FAIL
check 'ready nodes write their CNI configuration' 2 "$(cat /n1/cni/10-cstl.conflist /n2/cni/10-cstl.conflist | grep -c '"cniVersion": "0.4.0"')"

# --- pods, by the plugins that containerd runs
pod() { # NAME NUMBER: of its node
  ip netns add "$1"
  $guest plugin "/n$2/cni/10-cstl.conflist" >/tmp/plugin
  in_ns "n$2" env CNI_COMMAND=ADD CNI_CONTAINERID="$1" CNI_NETNS="/var/run/netns/$1" CNI_IFNAME=eth0 \
    CNI_PATH=/usr/lib/cni /usr/lib/cni/bridge </tmp/plugin >/tmp/added || cat /tmp/added
  in_ns "$1" $guest answer &
}
pod p1 1
pod p2 2
pod q1 1
address_of() { in_ns "$1" ip -4 -o address show eth0 | awk '{ sub("/.*", "", $4); print $4 }'; }
pod1=$(address_of p1) pod2=$(address_of p2) beside1=$(address_of q1)
[ -n "$pod1" ] && [ -n "$pod2" ] || finish FAIL
check 'the plugin takes the configuration: an address of the range' 10.244.1 "${pod1%.*}"
check 'pods have the tunnel'\''s MTU' 1420 "$(in_ns p1 cat /sys/class/net/eth0/mtu)"
in_ns n1 $guest answer &
in_ns n2 $guest answer &
$guest answer &
until_true 10 in_ns p2 $guest ask "$pod1"
for asked in "$pod2" "$beside1" 10.0.2.2 10.0.2.12 10.0.2.11; do until_true 10 in_ns p1 $guest ask $asked; done

# --- who reaches whom, and as whom
check 'pod to pod of another node keeps its source' "$pod1" "$(in_ns p1 $guest ask "$pod2")"
check 'and the other way' "$pod2" "$(in_ns p2 $guest ask "$pod1")"
check 'pod to pod of the same node keeps its source' "$pod1" "$(in_ns p1 $guest ask "$beside1")"
check 'node to pod of another node speaks with an address of its pod range' 10.244.1.1 "$(in_ns n1 $guest ask "$pod2")"
check 'node to its own pod' 10.244.1.1 "$(in_ns n1 $guest ask "$pod1")"
check 'pod to the world speaks as its node' 10.0.2.11 "$(in_ns p1 $guest ask 10.0.2.2)"
check 'pod to another node speaks as its node' 10.0.2.11 "$(in_ns p1 $guest ask 10.0.2.12)"
check 'pod to its own node keeps its source' "$pod1" "$(in_ns p1 $guest ask 10.0.2.11)"
check 'large packets pass' '3 packets transmitted, 3 packets received' \
  "$(in_ns p1 ping -c 3 -i 0.2 -s 8000 "$pod2" | sed -n 's/ received,.*/ received/p')"
check 'no packet of a pod was on the wire' 0 "$(grep -c ' 10\.244\.' /tmp/wire)"
check 'but WireGuard was' yes "$([ "$(grep -c udp51820 /tmp/wire)" -gt 20 ] && echo yes)"

# --- who is not attested, and who only says so
check 'a node without a record is left out' yes "$(grep -q 'skipped=no_record' /tmp/agent1 && echo yes)"
check 'and does not take part itself' yes "$(grep -q 'own=not_ready' /tmp/agent3 && ! [ -e /n3/cni/10-cstl.conflist ] && echo yes)"
in_ns p1 $guest ask 10.244.3.5 >/dev/null 2>&1
check 'nothing is sent to it' 0 "$(grep -c '10\.244\.3\.' /tmp/wire)"
check 'and it lets nothing of pods out' 'inject: Operation not permitted' "$(in_ns n3 $guest inject 10.244.3.5 10.0.2.11 7777 2>&1)"
in_ns p1 $guest receive 7777 >/tmp/received &
until_true 5 grep -q listening /tmp/received
in_ns p2 $guest inject "$pod2" "$pod1" 7777
until_true 3 grep -q datagram /tmp/received
check 'a datagram by the tunnel arrives' 1 "$(grep -c datagram /tmp/received)"
in_ns x ip route add 10.244.1.0/24 via 10.0.2.11
for source in "$pod2" 10.244.3.5 10.244.1.77; do in_ns x $guest inject $source "$pod1" 7777; done
sleep 1
check 'a pod'\''s source from the wire is dropped' 1 "$(grep -c datagram /tmp/received)"
until_true 5 grep -q 'arriving=[1-9]' /tmp/agent1
check 'after it was on the wire' 3 "$(grep -c "^17 10.244.* $pod1\$" /tmp/wire)"
check 'and counted' yes "$(grep -q 'arriving=[1-9]' /tmp/agent1 && echo yes)"

# --- changes
/usr/sbin/ip netns exec p1 ping -i 0.2 -c 20 "$pod2" >/tmp/ping &
pinging=$!
end 1
: >/tmp/agent1
sleep 1
start 1 one
wait $pinging
check 'a restart loses nothing' '20 packets transmitted, 20 packets received' "$(sed -n 's/ received,.*/ received/p' /tmp/ping)"
check 'and changes nothing' 'changed=no' "$(grep -o 'changed=[a-z]*' /tmp/agent1 | head -n 1)"

end 2
echo QEREREREREREREREREREREREREREREREREREREREREQ= >/n2/key
publish "$(record one 1 $key1; record two 2 $key4)"
start 2 two
until_true 10 in_ns p1 $guest ask "$pod2"
check 'a new key of a peer is taken over' "$pod1" "$(in_ns p1 $guest ask "$pod2")"
check 'and its old one goes' yes "$(grep -q 'peers_changed=1 peers_removed=1' /tmp/agent1 && echo yes)"
publish "$(record one 1 $key1; record two 2 $key2)"
until_true 5 grep -q 'key_differs=yes' /tmp/agent2
check 'a record with another key than ours is noticed' yes "$(grep -q 'key_differs=yes' /tmp/agent2 && echo yes)"
publish "$(record one 1 $key1; record two 2 $key4)"
until_true 10 in_ns p1 $guest ask "$pod2"

in_ns n1 ip link delete wg0
until_true 10 in_ns p1 $guest ask "$pod2"
check 'a tunnel that was removed comes back' "$pod1" "$(in_ns p1 $guest ask "$pod2")"
in_ns n1 ip route delete 10.244.2.0/24
until_true 10 in_ns p1 $guest ask "$pod2"
check 'so does a route' "$pod1" "$(in_ns p1 $guest ask "$pod2")"

publish "$(record one 1 $key1)"
sleep 1
check 'a node whose record is gone is cut off' none "$(in_ns p1 $guest ask "$pod2" 2>/dev/null || echo none)"
check 'and still nothing of a pod was on the wire but what was injected' 0 \
  "$(grep ' 10\.244\.' /tmp/wire | grep -cv "^17 10.244.* $pod1\$")"
[ $failed = 0 ] && finish ok || finish FAIL
