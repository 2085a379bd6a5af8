// Netlink messages (include/uapi/linux/netlink.h, netlink(7)): requests are built in a buffer of fixed size, replies
// are parsed as total functions. Numbers are in the machine's order (little endian here) unless a name says `be`.
//
// A Request may carry a secret: its buffer is wiped when it ends. Nothing here does I/O or logs.
#pragma once

#include <linux/netlink.h>

#include <optional>

#include "crypto/base/secret.h"

namespace cstl::netlink {

constexpr size_t kMaxDatagram = 65536;   // the kernel's dumps come in at most 32 KiB each

// One or more messages of one datagram. What does not fit makes finish() fail.
class Request {
 public:
  explicit Request(size_t capacity = 4096) : buffer_(capacity) {}

  // Starts a message; NLM_F_REQUEST is added. Ends the one before.
  void message(uint16_t type, uint16_t flags, uint32_t sequence);
  // The family's fixed header, right after message().
  template <typename Header>
  void header(const Header& value) {
    static_assert(std::is_trivially_copyable_v<Header>);
    put(&value, sizeof value);
  }
  void attribute(uint16_t type, Bytes value);
  void u8(uint16_t type, uint8_t value) { attribute(type, Bytes(&value, 1)); }
  void u16(uint16_t type, uint16_t value);
  void u32(uint16_t type, uint32_t value);
  void be16(uint16_t type, uint16_t value);
  void be32(uint16_t type, uint32_t value);
  void text(uint16_t type, std::string_view value);    // with a final zero
  // A nested attribute is all that is written between begin() and end() of its position.
  size_t begin(uint16_t type);
  void end(size_t position);

  // What was written, borrowed. Errors: too_long.
  Result<Bytes> finish();

 private:
  void put(const void* data, size_t n);                // padded to 4
  void close_message();
  SecretBuffer buffer_;
  size_t used_ = 0;
  size_t open_ = SIZE_MAX;                             // where the current message starts
  bool overflow_ = false;
};

struct Message {                                       // borrowed from the datagram
  uint16_t type = 0;
  uint16_t flags = 0;
  uint32_t sequence = 0;
  Bytes body;
};

// The messages of one datagram.
class Messages {
 public:
  explicit Messages(Bytes datagram) : rest_(datagram) {}
  // The next one; nothing at the end. Errors: truncated, bad_value (a length that cannot be).
  Result<std::optional<Message>> next();

 private:
  Bytes rest_;
};

struct Attribute {
  uint16_t type = 0;                                   // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
  Bytes value;
};

// The attributes of a message or of a nested attribute.
class Attributes {
 public:
  explicit Attributes(Bytes data) : rest_(data) {}
  // Errors: truncated, bad_value.
  Result<std::optional<Attribute>> next();

 private:
  Bytes rest_;
};

// Splits a message's body into the family's fixed header and its attributes. Errors: truncated.
template <typename Header>
Result<Attributes> open_body(Bytes body, Header* header) {
  static_assert(std::is_trivially_copyable_v<Header>);
  if (body.size() < sizeof *header) return fail(Code::truncated, "netlink.header");
  std::memcpy(header, body.data(), sizeof *header);
  return Attributes(body.skip(NLMSG_ALIGN(sizeof *header)));
}

// An attribute's value, which must have exactly that size. Errors: bad_value.
Result<uint8_t> u8_of(Bytes value);
Result<uint16_t> u16_of(Bytes value);
Result<uint32_t> u32_of(Bytes value);
Result<uint32_t> be32_of(Bytes value);
// A text of at most `max` bytes that ends with its first zero. Errors: bad_value.
Result<std::string_view> text_of(Bytes value, size_t max);

// What an NLMSG_ERROR says: 0 is an acknowledgement, others are errno values. Errors: truncated, bad_value.
Result<int> error_of(Bytes body);

}  // namespace cstl::netlink
