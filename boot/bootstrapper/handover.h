// The socket pair between the two processes of the bootstrapper (boot/bootstrapper/waiter.h): the confined one hands over
// one admission, the other tells it how entering the cluster goes. Blocking; both ends are of the same program, yet the
// root process checks what it gets: the other one has talked to the network.
#pragma once

#include "boot/bootstrapper/admission.h"

namespace cstl {

constexpr size_t kMaxTicket = 155988;  // of max_body() for join_ticket
constexpr size_t kMaxAdmission = kMaxNodeState + kMaxReferenceValues + kMaxCluster + kMaxTicket + 128;

// u16 length and node.json, disk key, u8 1 and the master secret or u8 0, then each with u32 length: reference values,
// cluster configuration, ticket. Secret.
Result<SecretBuffer> encode_admission(const Admission& admission);
// Form, and that it is one of: init (master secret and reference values, a control plane; with Kubernetes and a
// configuration, or neither), join without Kubernetes (a worker, nothing more), join with Kubernetes (a ticket that fits).
// Errors: truncated, trailing, too_long, bad_value, node_state, those of check_kubernetes_ticket and ClusterConfig::parse.
Result<Admission> decode_admission(Bytes body);

// A u32 length, then the admission. Errors: closed, io, and those of the codec.
Status give_admission(int fd, const Admission& admission);
Result<Admission> take_admission(int fd);

struct News {
  enum class Kind : uint8_t { step = 1, entered = 2, failed = 3, ask = 4 };
  Kind kind = Kind::step;
  Code code = Code::ok;      // of `failed`
  // A step's name, or the step and what failed: at most 256 bytes. Of `entered`: the kubeconfig, or empty; secret then, wipe it.
  std::string text;
};
// Errors: closed, io; of take_news also bad_value.
Status give_news(int fd, const News& news);
Result<News> take_news(int fd);

// Before the point of no return of an init whose answer nobody could get a second time: news of kind `ask`, answered by
// whether its client is still connected. Errors: closed (it is not, or the other process is gone), io.
Status ask_for_client(int fd);
Status answer_for_client(int fd, bool there);

}  // namespace cstl
