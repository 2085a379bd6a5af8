#include "attest/atls/frame.h"

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attest/atls/messages.h"
#include "attest/reference/values.h"
#include "attest/tpm/credential.h"
#include "crypto/base/fd.h"

namespace cstl {

std::optional<size_t> max_body(uint8_t type) {
  constexpr size_t kMaster = 64, kOwner = 65, kSignature = 64, kVerdict = 2 + 2 + kMaxErrorText;
  constexpr size_t kCluster = 65536;
  // svc/wire/join.h: KubernetesTicket, with a control plane's part.
  constexpr size_t kPki = 8 * (2 + 8192);
  constexpr size_t kKubernetes = 4 + kCluster + 2 + 64 + 32 + 23 + 2 + 8192 + 2 + 16384 + 1 + kPki + 32;
  switch (static_cast<FrameType>(type)) {
    case FrameType::hello: return 40;
    case FrameType::evidence: return kMaxEvidence;
    case FrameType::challenge: return tpm::kMaxCredential;
    case FrameType::activation: return 32;
    case FrameType::verdict: return kVerdict;
    case FrameType::init_request: return 32 + kMaster + 32 + kOwner + 4 + kMaxReferenceValues + 4 + kCluster + kSignature;
    case FrameType::init_progress: return 2 + 256;
    case FrameType::init_response: return 48 + 2 + 32768;
    case FrameType::join_request: return 16 + 1 + 2 + 63 + 2 + 45 + 2 + 1024 + 32;
    case FrameType::join_ticket: return 32 + 32 + 32 + kOwner + 1 + kKubernetes;
    case FrameType::rejoin_request: return 16;
    case FrameType::rejoin_ticket: return 64;
    case FrameType::recover_query: return 0;
    case FrameType::recover_info: return 16;
    case FrameType::recover_request: return 64 + kSignature;
    case FrameType::recover_done: return 0;
    case FrameType::verify_request: return 0;
    case FrameType::verify_response: return 32 + 1 + 2 + 63 + 2 + 32;
    case FrameType::key_request: return 1 + 2 + 64;
    case FrameType::key_response: return 32;
    case FrameType::attest_query: return 0;
    case FrameType::attest_info: return 1;
    case FrameType::attest_request: return 2 + 512 * 32;
    case FrameType::attest_response: return kMaxEvidence;
    case FrameType::activate_request: return tpm::kMaxCredential;
    case FrameType::activate_response: return 32;
    case FrameType::rekey_request: return 32 + kOwner;
    case FrameType::rekey_done: return 0;
    case FrameType::power_request: return 1;
    case FrameType::start_request: return 2 + 32 + 4 + 32 * 1024;
    case FrameType::start_done: return 0;
    case FrameType::error: return kVerdict;
  }
  return std::nullopt;
}

Result<FrameHeader> FrameHeader::decode(Bytes header) {
  Reader r(header);
  TRY_LET(uint32_t length, r.u32());
  TRY_LET(uint8_t version, r.u8());
  TRY_LET(uint8_t type, r.u8());
  TRY(r.finish());
  if (version != kProtocolVersion) return fail(Code::frame_version, "frame.version");
  std::optional<size_t> max = max_body(type);
  if (!max) return fail(Code::frame_type, "frame.type");
  if (length < 2 || length - 2 > *max) return fail(Code::frame_size, "frame.size");
  return FrameHeader{static_cast<FrameType>(type), length - 2};
}

Result<SecretBuffer> encode_frame(FrameType type, Bytes body) {
  std::optional<size_t> max = max_body(static_cast<uint8_t>(type));
  if (!max) return fail(Code::frame_type, "frame.encode");
  if (body.size() > *max) return fail(Code::frame_size, "frame.encode");
  SecretBuffer out(kFrameHeader + body.size());
  Writer w(out.space());
  w.u32(static_cast<uint32_t>(body.size() + 2));
  w.u8(kProtocolVersion);
  w.u8(static_cast<uint8_t>(type));
  w.bytes(body);
  TRY(w.finish());
  return out;
}

namespace {

Status wait_for(int fd, short events, int64_t deadline) {
  for (;;) {
    int64_t left = deadline - monotonic_ms();
    if (left <= 0) return fail(Code::timeout, "frame.wait");
    pollfd p{fd, events, 0};
    int n = poll(&p, 1, static_cast<int>(left));
    if (n > 0) return success();  // also POLLHUP and POLLERR: the transfer says what it is
    if (n < 0 && errno != EINTR) return fail_errno("frame.poll");
  }
}

Status receive_all(int fd, MutBytes out, int64_t deadline) {
  size_t have = 0;
  while (have < out.size()) {
    TRY(wait_for(fd, POLLIN, deadline));
    ssize_t n = read(fd, out.data() + have, out.size() - have);
    if (n == 0 || (n < 0 && errno == ECONNRESET)) return fail(Code::closed, "frame.read");
    if (n < 0 && errno != EINTR && errno != EAGAIN) return fail_errno("frame.read");
    if (n > 0) have += static_cast<size_t>(n);
  }
  return success();
}

}  // namespace

Status send_frame(int fd, FrameType type, Bytes body, int timeout_ms) {
  const int64_t deadline = monotonic_ms() + timeout_ms;
  TRY_LET(SecretBuffer frame, encode_frame(type, body));
  Bytes left = frame.declassify();
  while (!left.empty()) {
    TRY(wait_for(fd, POLLOUT, deadline));
    ssize_t n = ::send(fd, left.data(), left.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    // A pipe that polls writable takes PIPE_BUF (at least 512) bytes without blocking.
    if (n < 0 && errno == ENOTSOCK) n = write(fd, left.data(), left.size() < 512 ? left.size() : 512);
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return fail(Code::closed, "frame.write");
    if (n < 0 && errno != EINTR && errno != EAGAIN) return fail_errno("frame.write");
    if (n > 0) left = left.skip(static_cast<size_t>(n));
  }
  return success();
}

Result<Frame> receive_frame(int fd, int timeout_ms) {
  const int64_t deadline = monotonic_ms() + timeout_ms;
  std::array<uint8_t, kFrameHeader> bytes{};
  TRY(receive_all(fd, bytes, deadline));
  TRY_LET(FrameHeader header, FrameHeader::decode(bytes));
  SecretBuffer body(header.body);
  TRY(receive_all(fd, body.space(), deadline));
  if (header.type == FrameType::error) {
    TRY_LET(ErrorMessage message, ErrorMessage::decode(body.declassify()));
    return fail(Code::peer_error, "frame.peer_error", Origin::cstl, message.code);
  }
  return Frame{header.type, std::move(body)};
}

}  // namespace cstl
