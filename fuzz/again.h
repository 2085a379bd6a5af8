// For targets of wire messages: the first byte chooses the message, the rest is its body; what is accepted must encode to
// the same bytes again.
#pragma once

#include <cstdlib>

#include "crypto/base/secret.h"

namespace cstl {

inline void same(Bytes body, const Result<Bytes>& again) {
  if (!again.ok() || !equal(body, *again)) abort();
}

inline void same(Bytes body, const Result<SecretBuffer>& again) {
  if (!again.ok() || !equal(body, again->declassify())) abort();
}

// Messages without secrets encode into the caller's space, messages with secrets into a buffer of their own.
template <typename Message>
void decode_again(Bytes body) {
  Result<Message> message = Message::decode(body);
  if (!message.ok()) return;
  std::vector<uint8_t> space(1024 + body.size());
  same(body, message->encode(space));
}

template <typename Message>
void decode_secret_again(Bytes body) {
  Result<Message> message = Message::decode(body);
  if (message.ok()) same(body, message->encode());
}

}  // namespace cstl
