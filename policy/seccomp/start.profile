# What the container of every service may do besides what the policies of the service and of its exporter allow: come into
# being and confine itself. A profile is the outer of two filters, made by policyc and put around the container by its
# runtime; the inner one is what a process gives itself (svc/run/lockdown.h), and that one kills. So what stands here is
# over as soon as a process is confined; nothing that it lists is there for a peer's bytes.

# The container runtime, between filter and execve (runc, a Go program; with no_new_privs it sets the filter last): it opens
# its fifo and the list of its descriptors below /proc/self/fd, and closes them.
execve: 1
openat: arg2 in O_WRONLY|O_CLOEXEC|O_DIRECTORY|O_NONBLOCK|O_NOFOLLOW
fstatfs: 1
getdents64: 1
epoll_ctl: 1
nanosleep: 1
sched_yield: 1
tgkill: arg2 == 23 || arg2 == 6    # SIGURG, by which Go interrupts its own threads; SIGABRT, of abort(3)

# A static program's start, and its relocations
arch_prctl: arg0 == 0x1002         # ARCH_SET_FS
set_tid_address: 1
set_robust_list: 1
rseq: 1
prlimit64: 1
readlink: 1
mprotect: arg2 in PROT_READ|PROT_WRITE
newfstatat: 1                      # standard output, before --help is written to it

# The service before it is confined: standard descriptors, signals, its files, pages that stay in memory, its listeners
# (IPv4 is 2, IPv6 is 10; SO_REUSEADDR is 2)
close_range: 1
umask: 1
rt_sigaction: 1
mlock: 1
socket: arg0 == AF_UNIX && arg1 in SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK && arg2 == 0 || arg0 == 2 && arg1 in SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK && arg2 == 0 || arg0 == 10 && arg1 in SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK && arg2 == 0
setsockopt: arg1 == SOL_SOCKET && arg2 == 2
bind: 1
listen: 1
getsockname: 1

# Its exporter: a child of the same program, which makes the descriptors that its own policy lets it keep
clone: arg0 in SIGCHLD|CLONE_CHILD_SETTID|CLONE_CHILD_CLEARTID
socketpair: arg0 == AF_UNIX && arg1 in SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK
epoll_create1: 1

# Lock-down (svc/run/lockdown.h, svc/nodenetwork/confine.h): whose user it is, nothing to gain, no dumps, both policies
geteuid: 1
getresuid: 1
getresgid: 1
setuid: return EPERM               # it tries, and must fail
capget: 1
capset: 1
prctl: arg0 == PR_SET_DUMPABLE || arg0 == PR_SET_NAME || arg0 == PR_CAPBSET_READ || arg0 == PR_CAPBSET_DROP || arg0 == PR_CAP_AMBIENT || arg0 == PR_SET_NO_NEW_PRIVS
landlock_create_ruleset: 1
openat: arg2 in O_PATH|O_CLOEXEC
landlock_add_rule: 1
landlock_restrict_self: 1
seccomp: arg0 == SECCOMP_SET_MODE_FILTER
