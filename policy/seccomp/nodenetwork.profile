# The container of cstl-nodenetwork. policy/kubernetes names it cstl/nodenetwork.json.
@include start.profile
@include exporter.policy
@include nodenetwork.policy

# Its netlink sockets, which it opens first (svc/nodenetwork/socket.h): SO_RCVTIMEO (20); NETLINK_CAP_ACK (10) of SOL_NETLINK (270)
socket: arg0 == AF_NETLINK && arg1 in SOCK_RAW|SOCK_CLOEXEC
setsockopt: arg1 == SOL_SOCKET && arg2 == 20 || arg1 == 270 && arg2 == 10

# libcurl asks once whether there is IPv6: a socket of it (10), SOCK_DGRAM (2)
socket: arg0 == 10 && arg1 == 2 && arg2 == 0
