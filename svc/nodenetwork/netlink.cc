#include "svc/nodenetwork/netlink.h"

#include <arpa/inet.h>

namespace cstl::netlink {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

constexpr size_t kAlignment = 4;
size_t aligned(size_t n) { return (n + kAlignment - 1) & ~(kAlignment - 1); }

}  // namespace

void Request::put(const void* data, size_t n) {
  const size_t padded = aligned(n);
  if (overflow_ || padded > buffer_.size() - used_) {
    overflow_ = true;
    return;
  }
  uint8_t* out = buffer_.space().data() + used_;
  if (n > 0) std::memcpy(out, data, n);
  std::memset(out + n, 0, padded - n);
  used_ += padded;
}

void Request::close_message() {
  if (open_ == SIZE_MAX || overflow_) return;
  const uint32_t length = static_cast<uint32_t>(used_ - open_);
  std::memcpy(buffer_.space().data() + open_, &length, sizeof length);
}

void Request::message(uint16_t type, uint16_t flags, uint32_t sequence) {
  close_message();
  open_ = used_;
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
  header.nlmsg_seq = sequence;
  put(&header, sizeof header);
}

void Request::attribute(uint16_t type, Bytes value) {
  if (value.size() > UINT16_MAX - NLA_HDRLEN) {
    overflow_ = true;
    return;
  }
  nlattr header{};
  header.nla_len = static_cast<uint16_t>(NLA_HDRLEN + value.size());
  header.nla_type = type;
  put(&header, sizeof header);
  put(value.data(), value.size());
}

void Request::u16(uint16_t type, uint16_t value) {
  attribute(type, Bytes(reinterpret_cast<const uint8_t*>(&value), sizeof value));
}
void Request::u32(uint16_t type, uint32_t value) {
  attribute(type, Bytes(reinterpret_cast<const uint8_t*>(&value), sizeof value));
}
void Request::be16(uint16_t type, uint16_t value) { u16(type, htons(value)); }
void Request::be32(uint16_t type, uint32_t value) { u32(type, htonl(value)); }

void Request::text(uint16_t type, std::string_view value) {
  std::string copy(value);
  attribute(type, Bytes(reinterpret_cast<const uint8_t*>(copy.c_str()), copy.size() + 1));
}

size_t Request::begin(uint16_t type) {
  const size_t position = used_;
  attribute(static_cast<uint16_t>(type | NLA_F_NESTED), {});
  return position;
}

void Request::end(size_t position) {
  if (overflow_) return;
  const size_t length = used_ - position;
  if (length > UINT16_MAX) {
    overflow_ = true;
    return;
  }
  const uint16_t field = static_cast<uint16_t>(length);
  std::memcpy(buffer_.space().data() + position, &field, sizeof field);
}

Result<Bytes> Request::finish() {
  close_message();
  if (overflow_) return fail(Code::too_long, "netlink.request");
  return buffer_.declassify().first(used_);
}

Result<std::optional<Message>> Messages::next() {
  if (rest_.empty()) return std::optional<Message>();
  nlmsghdr header;
  if (rest_.size() < sizeof header) return fail(Code::truncated, "netlink.message");
  std::memcpy(&header, rest_.data(), sizeof header);
  if (header.nlmsg_len < sizeof header) return fail(Code::bad_value, "netlink.message_length");
  if (header.nlmsg_len > rest_.size()) return fail(Code::truncated, "netlink.message");
  Message out;
  out.type = header.nlmsg_type;
  out.flags = header.nlmsg_flags;
  out.sequence = header.nlmsg_seq;
  out.body = rest_.first(header.nlmsg_len).skip(sizeof header);
  rest_ = rest_.skip(aligned(header.nlmsg_len));
  return std::optional<Message>(out);
}

Result<std::optional<Attribute>> Attributes::next() {
  if (rest_.empty()) return std::optional<Attribute>();
  nlattr header;
  if (rest_.size() < sizeof header) return fail(Code::truncated, "netlink.attribute");
  std::memcpy(&header, rest_.data(), sizeof header);
  if (header.nla_len < sizeof header) return fail(Code::bad_value, "netlink.attribute_length");
  if (header.nla_len > rest_.size()) return fail(Code::truncated, "netlink.attribute");
  Attribute out;
  out.type = header.nla_type & NLA_TYPE_MASK;
  out.value = rest_.first(header.nla_len).skip(sizeof header);
  rest_ = rest_.skip(aligned(header.nla_len));
  return std::optional<Attribute>(out);
}

namespace {
template <typename T>
Result<T> number(Bytes value) {
  T out;
  if (value.size() != sizeof out) return fail(Code::bad_value, "netlink.number");
  std::memcpy(&out, value.data(), sizeof out);
  return out;
}
}  // namespace

Result<uint8_t> u8_of(Bytes value) { return number<uint8_t>(value); }
Result<uint16_t> u16_of(Bytes value) { return number<uint16_t>(value); }
Result<uint32_t> u32_of(Bytes value) { return number<uint32_t>(value); }

Result<uint32_t> be32_of(Bytes value) {
  TRY_LET(uint32_t raw, number<uint32_t>(value));
  return ntohl(raw);
}

Result<std::string_view> text_of(Bytes value, size_t max) {
  const std::string_view text = value.text();
  const size_t end = text.find('\0');
  if (end == std::string_view::npos || end > max || end + 1 != text.size()) {
    return fail(Code::bad_value, "netlink.text");
  }
  return text.substr(0, end);
}

Result<int> error_of(Bytes body) {
  if (body.size() < sizeof(int32_t)) return fail(Code::truncated, "netlink.error");
  TRY_LET(uint32_t raw, number<uint32_t>(body.first(sizeof(int32_t))));
  const int32_t value = static_cast<int32_t>(raw);
  if (value > 0 || value < -4095) return fail(Code::bad_value, "netlink.error");
  return -value;
}

}  // namespace cstl::netlink
