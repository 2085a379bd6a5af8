#include "svc/nodenetwork/socket.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

namespace cstl::netlink {
namespace {

Error refused(const char* site, int number) { return fail(Code::network_failed, site, Origin::errno_value, number); }

}  // namespace

Result<Socket> Socket::open(int protocol) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) return refused("netlink.socket", errno);
  const timeval limit{kReplySeconds, 0};
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) {
    return refused("netlink.timeout", errno);
  }
  const int one = 1;  // an error need not repeat our request, which may hold a key
  if (setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one) != 0) return refused("netlink.ack", errno);
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return refused("netlink.bind", errno);
  return Socket(std::move(fd));
}

Status Socket::send(Request& request, const char* site) {
  TRY_LET(Bytes bytes, request.finish());
  while (recv(fd_.get(), buffer_.space().data(), buffer_.size(), MSG_DONTWAIT) >= 0) {
  }  // what is left of a request that was given up
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0) return refused(site, errno);
  if (static_cast<size_t>(sent) != bytes.size()) return refused(site, EMSGSIZE);
  return success();
}

Result<Bytes> Socket::receive(const char* site) {
  for (int tries = 0; tries < kMaxDatagrams; ++tries) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t n = recvfrom(fd_.get(), buffer_.space().data(), buffer_.size(), MSG_TRUNC,
                               reinterpret_cast<sockaddr*>(&from), &from_size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return fail(Code::timeout, site);
    if (n < 0) return refused(site, errno);
    if (static_cast<size_t>(n) > buffer_.size()) return fail(Code::too_long, site);
    if (from_size != sizeof from || from.nl_pid != 0) continue;  // another process of this machine
    return buffer_.declassify().first(static_cast<size_t>(n));
  }
  return fail(Code::timeout, site);
}

Status Socket::call(Request& request, uint32_t first, uint32_t last, int acknowledgements, const char* site) {
  TRY(send(request, site));
  while (acknowledgements > 0) {
    TRY_LET(Bytes datagram, receive(site));
    Messages messages(datagram);
    while (true) {
      TRY_LET(std::optional<Message> message, messages.next());
      if (!message) break;
      if (message->type != NLMSG_ERROR || message->sequence < first || message->sequence > last) continue;
      TRY_LET(int number, error_of(message->body));
      if (number != 0) return refused(site, number);
      --acknowledgements;
    }
  }
  return success();
}

Status Socket::take(Bytes datagram, bool dump, const std::function<Status(const Message&)>& each, const char* site,
                    bool* done) {
  Messages messages(datagram);
  while (!*done) {
    TRY_LET(std::optional<Message> message, messages.next());
    if (!message) return success();
    if (message->sequence != sequence_) continue;
    if ((message->flags & NLM_F_DUMP_INTR) != 0) return fail(Code::busy, site);
    if (message->type == NLMSG_ERROR || message->type == NLMSG_DONE) {
      *done = true;
      if (message->type == NLMSG_DONE && message->body.empty()) continue;
      TRY_LET(int number, error_of(message->body));
      if (number != 0) return refused(site, number);
      continue;
    }
    if (message->type < NLMSG_MIN_TYPE) continue;
    TRY(each(*message));
    if (!dump) *done = true;
  }
  return success();
}

Status Socket::ask(Request& request, bool dump, const std::function<Status(const Message&)>& each, const char* site) {
  TRY(send(request, site));
  bool done = false;
  Status status;
  for (int datagrams = 0; status.ok() && !done; ++datagrams) {
    if (datagrams == kMaxDatagrams) return fail(Code::too_long, site);
    auto datagram = receive(site);
    status = datagram.ok() ? take(*datagram, dump, each, site, &done) : Status(datagram.error());
  }
  wipe(buffer_.space());
  return status;
}

}  // namespace cstl::netlink
