// The socket pair between the two processes of the bootstrapper (boot/bootstrapper/waiter.h): the confined one hands over
// one admission, the other tells it how entering the cluster goes. Blocking; both ends are of the same program, yet the
// root process checks what it gets: the other one has talked to the network.
#pragma once

#include "boot/bootstrapper/admission.h"

namespace cstl {

constexpr size_t kMaxAdmission = kMaxNodeState + kMaxReferenceValues + 128;

// u16 length and node.json, disk key, u8 1 and the master secret or u8 0, u32 length and reference values. Secret.
Result<SecretBuffer> encode_admission(const Admission& admission);
// Form, and that master secret and reference values are there for a control plane and only for it.
// Errors: truncated, trailing, too_long, bad_value, node_state.
Result<Admission> decode_admission(Bytes body);

// A u32 length, then the admission. Errors: closed, io, and those of the codec.
Status give_admission(int fd, const Admission& admission);
Result<Admission> take_admission(int fd);

struct News {
  enum class Kind : uint8_t { step = 1, entered = 2, failed = 3 };
  Kind kind = Kind::step;
  Code code = Code::ok;      // of `failed`
  std::string text;          // a step's name, or the step and what failed; at most 256 bytes
};
// Errors: closed, io; of take_news also bad_value.
Status give_news(int fd, const News& news);
Result<News> take_news(int fd);

}  // namespace cstl
