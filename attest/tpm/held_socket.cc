#include "attest/tpm/held_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "crypto/base/fd.h"

namespace cstl::tpm {

namespace {
constexpr uint64_t kMagic = 0x6373746c2d747069;
constexpr size_t kHeader = 10;         // tag, size, code (TPM 2.0 part 1, 18)
constexpr size_t kMaxResponse = 4096;

struct HeldSocket {
  TSS2_TCTI_CONTEXT_COMMON_V1 common;
  sockaddr_un address;
  bool per_command;                    // connect anew for each command
  int fd;                              // -1: between commands
  size_t filled;                       // of the response that is being received
  uint8_t response[kMaxResponse];
};

HeldSocket* held(TSS2_TCTI_CONTEXT* context) { return reinterpret_cast<HeldSocket*>(context); }

bool connect_it(HeldSocket& s) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || connect(fd.get(), reinterpret_cast<sockaddr*>(&s.address), sizeof s.address) != 0) return false;
  s.fd = fd.release();
  return true;
}

void drop(HeldSocket& s) {
  if (s.fd >= 0) close(s.fd);
  s.fd = -1;
}

TSS2_RC transmit(TSS2_TCTI_CONTEXT* context, size_t size, const uint8_t* command) {
  HeldSocket* s = held(context);
  s->filled = 0;
  if (s->per_command) drop(*s);  // of a command whose response was not taken
  if (s->fd < 0 && !connect_it(*s)) return TSS2_TCTI_RC_IO_ERROR;
  return write_all(s->fd, Bytes(command, size)).ok() ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_IO_ERROR;
}

// The size that a response's header announces; 0 while the header is not complete.
size_t announced(const HeldSocket& s) {
  if (s.filled < kHeader) return 0;
  return size_t{s.response[2]} << 24 | size_t{s.response[3]} << 16 | size_t{s.response[4]} << 8 | s.response[5];
}

TSS2_RC receive(TSS2_TCTI_CONTEXT* context, size_t* size, uint8_t* response, int32_t timeout) {
  HeldSocket* s = held(context);
  for (size_t want = kHeader; s->filled < want;) {
    pollfd fd{s->fd, POLLIN, 0};
    int ready = poll(&fd, 1, timeout);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return TSS2_TCTI_RC_TRY_AGAIN;
    ssize_t n = ready < 0 ? -1 : read(s->fd, s->response + s->filled, want - s->filled);
    if (n <= 0) return TSS2_TCTI_RC_IO_ERROR;
    s->filled += static_cast<size_t>(n);
    if (s->filled == kHeader) want = announced(*s);
    if (want < kHeader || want > sizeof s->response) return TSS2_TCTI_RC_MALFORMED_RESPONSE;
  }
  if (response == nullptr) {
    *size = s->filled;
    return TSS2_RC_SUCCESS;
  }
  if (*size < s->filled) return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
  std::memcpy(response, s->response, s->filled);
  *size = s->filled;
  if (s->per_command) drop(*s);
  return TSS2_RC_SUCCESS;
}

void finalize(TSS2_TCTI_CONTEXT* context) { drop(*held(context)); }

TSS2_RC cancel(TSS2_TCTI_CONTEXT*) { return TSS2_TCTI_RC_NOT_IMPLEMENTED; }
TSS2_RC set_locality(TSS2_TCTI_CONTEXT*, uint8_t) { return TSS2_TCTI_RC_NOT_IMPLEMENTED; }
TSS2_RC get_poll_handles(TSS2_TCTI_CONTEXT*, TSS2_TCTI_POLL_HANDLE*, size_t*) { return TSS2_TCTI_RC_NOT_IMPLEMENTED; }

TSS2_RC socket_init(TSS2_TCTI_CONTEXT* context, size_t* size, const char* path, bool per_command) {
  *size = sizeof(HeldSocket);
  if (context == nullptr) return TSS2_RC_SUCCESS;
  sockaddr_un address{};
  size_t length = std::strlen(path);
  if (length == 0 || length >= sizeof address.sun_path) return TSS2_TCTI_RC_BAD_VALUE;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, length);
  HeldSocket* s = held(context);
  s->common.magic = kMagic;
  s->common.version = 1;
  s->common.transmit = transmit;
  s->common.receive = receive;
  s->common.finalize = finalize;
  s->common.cancel = cancel;
  s->common.getPollHandles = get_poll_handles;
  s->common.setLocality = set_locality;
  s->address = address;
  s->per_command = per_command;
  s->fd = -1;
  if (!connect_it(*s)) return TSS2_TCTI_RC_IO_ERROR;
  if (per_command) drop(*s);
  return TSS2_RC_SUCCESS;
}
}  // namespace

TSS2_RC held_socket_init(TSS2_TCTI_CONTEXT* context, size_t* size, const char* path) {
  return socket_init(context, size, path, false);
}

TSS2_RC shared_socket_init(TSS2_TCTI_CONTEXT* context, size_t* size, const char* path) {
  return socket_init(context, size, path, true);
}

}  // namespace cstl::tpm
