# The container of cstl-keyservice. policy/kubernetes names it cstl/keyservice.json.
@include start.profile
@include exporter.policy
@include keyservice.policy

# Its socket, which it makes anew and gives to the joinservice's group (svc/run/local_server.h)
unlink: 1
lchown: arg1 == 902 && arg2 == 901
chmod: arg1 == 0660
