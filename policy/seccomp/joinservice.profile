# The container of cstl-joinservice. policy/kubernetes names it cstl/joinservice.json.
@include start.profile
@include exporter.policy
@include joinservice-kubernetes.policy

# libcurl asks once whether there is IPv6: a socket of it (10), SOCK_DGRAM (2)
socket: arg0 == 10 && arg1 == 2 && arg2 == 0
