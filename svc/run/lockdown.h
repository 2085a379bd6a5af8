// Confinement of a service: called once, after its descriptors are open, before the first byte of a peer is read.
//
// Afterwards the process runs as the service's user and group, has no supplementary groups, no capability in any set
// (bounding and ambient included), can gain none (no_new_privs), leaves no core dumps, reaches only the paths of its
// Landlock policy, binds and (unless it must) connects no TCP port, and dies at the first system call outside of its
// seccomp policy (SECCOMP_RET_KILL_PROCESS). There is no way to ask for less: a kernel without seccomp or Landlock gives
// sandbox_failed.
//
// Down-level Landlock: ABI 1 is required. Rights that the kernel's ABI lacks (2: refer, 3: truncate, 4: TCP, 5: device
// ioctl, 6: abstract sockets and signals) are left out; seccomp denies what they would (no socket but the few kinds that
// the policy lists, no ioctl, no kill), so nothing is lost but the second line. LockdownReport tells the program.
//
// policy/seccomp/*.policy and policy/landlock/*.policy are the text that reviewers read; tools/policyc compiles it into
// the tables below when the program is built.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <initializer_list>
#include <string_view>

#include "crypto/base/result.h"

namespace cstl {

constexpr uid_t kJoinserviceUid = 901;          // the group has the same number
constexpr uid_t kKeyserviceUid = 902;
constexpr uid_t kVerificationserviceUid = 903;
constexpr uid_t kBootstrapperUid = 904;
constexpr uid_t kAttesterUid = 905;
constexpr uid_t kNodenetworkUid = 906;

struct SeccompPolicy {
  const sock_filter* program;
  unsigned short length;
};

struct LandlockRule {
  const char* path;      // absolute, or "$name" for a path that the program knows only when it runs
  uint64_t rights;       // LANDLOCK_ACCESS_FS_*
};

struct LandlockPolicy {
  const LandlockRule* rules;
  size_t count;
};

// Written by tools/policyc from policy/.
extern const SeccompPolicy kAttesterSeccomp, kBootstrapperSeccomp, kJoinserviceSeccomp, kJoinserviceKubernetesSeccomp,
    kKeyserviceSeccomp, kVerificationserviceSeccomp;
extern const LandlockPolicy kAttesterLandlock, kBootstrapperLandlock, kJoinserviceLandlock,
    kJoinserviceKubernetesLandlock, kKeyserviceLandlock, kVerificationserviceLandlock;

struct LandlockPath {
  std::string_view name;   // "$state"
  const char* path;
};

struct LockdownReport {
  int landlock_abi = 0;
};

enum class Tcp : uint8_t { none, connect };  // new connections that the process may make itself

// `paths` names every variable of the Landlock policy; each path exists. The process is root, or `uid` from the start (in
// a pod; it then keeps the groups that the container runtime gave it) (denied). Errors: sandbox_failed
// with the errno of the step that failed; the process is then half confined and must end.
Result<LockdownReport> lock_down(uid_t uid, const SeccompPolicy& seccomp, const LandlockPolicy& landlock,
                                 std::initializer_list<LandlockPath> paths, Tcp tcp = Tcp::none);

// The same for a child that a service forks to have less: it becomes `uid` where root may change it. In a pod it stays the user
// that it is, also when that is root: without a capability in any set, and with none to be gained. Errors: sandbox_failed.
Result<LockdownReport> lock_down_child(uid_t uid, const SeccompPolicy& seccomp, const LandlockPolicy& landlock);

// The two last steps alone, in the calling process, for the tests of the policies.
Result<int> restrict_paths(const LandlockPolicy& landlock, std::initializer_list<LandlockPath> paths,
                           Tcp tcp = Tcp::none);
Status restrict_calls(const SeccompPolicy& seccomp);

}  // namespace cstl
