// One netlink socket: requests that the kernel acknowledges, and dumps. Blocking, but never longer than kReplySeconds
// for one datagram: the kernel answers within the call. Only the kernel's datagrams are taken. Never logs.
//
// Errors: network_failed with the kernel's errno and the caller's site; too_long, truncated, bad_value for replies that
// are not netlink; timeout.
#pragma once

#include <functional>

#include "crypto/base/fd.h"
#include "svc/nodenetwork/netlink.h"

namespace cstl::netlink {

constexpr int kReplySeconds = 2;
constexpr int kMaxDatagrams = 4096;      // of one dump: more than 5000 nodes need

class Socket {
 public:
  // `protocol`: NETLINK_ROUTE, NETLINK_GENERIC or NETLINK_NETFILTER.
  static Result<Socket> open(int protocol);

  // Numbers for the messages of the next request.
  uint32_t next_sequence() { return ++sequence_; }
  // Sends `request`, whose messages have the sequence numbers first..last, all but those of a batch's frame with
  // NLM_F_ACK; waits for `acknowledgements` of them. The first refusal is the error.
  Status call(Request& request, uint32_t first, uint32_t last, int acknowledgements, const char* site);
  // The same for the usual one message.
  Status call(Request& request, const char* site) { return call(request, sequence_, sequence_, 1, site); }
  // Sends one message (the last sequence number) and hands over each answer until the end of the dump, or just the one
  // that a request without NLM_F_DUMP gets. Replies may hold secrets: the buffer is wiped afterwards.
  // Errors also: busy (what was dumped changed meanwhile), and those of `each`.
  Status ask(Request& request, bool dump, const std::function<Status(const Message&)>& each, const char* site);

 private:
  explicit Socket(Fd fd) : fd_(std::move(fd)), buffer_(kMaxDatagram) {}
  Status send(Request& request, const char* site);
  Result<Bytes> receive(const char* site);
  Status take(Bytes datagram, bool dump, const std::function<Status(const Message&)>& each, const char* site,
              bool* done);

  Fd fd_;
  SecretBuffer buffer_;
  uint32_t sequence_ = 0;
};

}  // namespace cstl::netlink
