#include "crypto/tls.h"

#include <cerrno>
#include <fcntl.h>
#include <mbedtls/net_sockets.h>
#include <sys/socket.h>

#include "crypto/tls_identity.h"

namespace cstl {

namespace {
using Ssl = Pinned<mbedtls_ssl_context, mbedtls_ssl_init, mbedtls_ssl_free>;

constexpr std::string_view kExporterLabel = "EXPORTER-cstl-atls-1";

bool would_block(int number) { return number == EAGAIN || number == EWOULDBLOCK || number == EINTR; }

int send_some(void* context, const unsigned char* data, size_t size) {
  ssize_t n = send(static_cast<const Fd*>(context)->get(), data, size, MSG_NOSIGNAL);
  if (n >= 0) return static_cast<int>(n);
  if (would_block(errno)) return MBEDTLS_ERR_SSL_WANT_WRITE;
  return errno == EPIPE || errno == ECONNRESET ? MBEDTLS_ERR_NET_CONN_RESET : MBEDTLS_ERR_NET_SEND_FAILED;
}

int receive_some(void* context, unsigned char* out, size_t size) {
  ssize_t n = recv(static_cast<const Fd*>(context)->get(), out, size, 0);
  if (n >= 0) return static_cast<int>(n);
  if (would_block(errno)) return MBEDTLS_ERR_SSL_WANT_READ;
  return errno == ECONNRESET ? MBEDTLS_ERR_NET_CONN_RESET : MBEDTLS_ERR_NET_RECV_FAILED;
}
}  // namespace

struct TlsSession::State {
  Fd fd;
  Ssl ssl;
  const TlsIdentity* identity = nullptr;
  bool established = false;
  Status ended;  // the first error: mbedTLS must not be used after it

  // The session's own view of an mbedTLS return value below zero.
  Result<TlsWant> want_or_end(int result, const char* site) {
    if (result == MBEDTLS_ERR_SSL_WANT_READ) return TlsWant::read;
    if (result == MBEDTLS_ERR_SSL_WANT_WRITE) return TlsWant::write;
    bool closed = result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || result == MBEDTLS_ERR_SSL_CONN_EOF ||
                  result == MBEDTLS_ERR_NET_CONN_RESET;
    ended = fail(closed ? Code::closed : Code::tls_failed, site, Origin::mbedtls, result);
    return ended.error();
  }
};

TlsSession::TlsSession() : state_(new State) {}
TlsSession::~TlsSession() = default;

Result<std::unique_ptr<TlsSession>> TlsSession::create(TlsSide side, Fd fd, const TlsIdentity& identity) {
  TRY(crypto_start());
  int flags = fcntl(fd.get(), F_GETFL);
  if (flags < 0 || fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno("tls.nonblocking");
  std::unique_ptr<TlsSession> session(new TlsSession);
  State& state = *session->state_;
  state.fd = std::move(fd);
  state.identity = &identity;
  const SslConfig& config = side == TlsSide::client ? identity.state_->client : identity.state_->server;
  TRY(mbed_ok(mbedtls_ssl_setup(state.ssl.get(), config.get()), Code::tls_failed, "tls.setup"));
  // Said explicitly, since mbedTLS otherwise refuses: no name is expected in the peer's certificate.
  TRY(mbed_ok(mbedtls_ssl_set_hostname(state.ssl.get(), nullptr), Code::tls_failed, "tls.hostname"));
  mbedtls_ssl_set_bio(state.ssl.get(), &state.fd, send_some, receive_some, nullptr);
  return session;
}

Result<TlsWant> TlsSession::handshake() {
  TRY(state_->ended);
  if (state_->established) return TlsWant::nothing;
  int result = mbedtls_ssl_handshake(state_->ssl.get());
  if (result != 0) return state_->want_or_end(result, "tls.handshake");
  state_->established = true;
  return TlsWant::nothing;
}

Result<TlsSession::Transfer> TlsSession::read(MutBytes out) {
  TRY(state_->ended);
  if (!state_->established || out.size() == 0) return fail(Code::tls_failed, "tls.read_early");
  int result = mbedtls_ssl_read(state_->ssl.get(), out.data(), out.size());
  if (result > 0) return Transfer{static_cast<size_t>(result), TlsWant::nothing};
  if (result == 0) result = MBEDTLS_ERR_SSL_CONN_EOF;
  TRY_LET(TlsWant want, state_->want_or_end(result, "tls.read"));
  return Transfer{0, want};
}

Result<TlsSession::Transfer> TlsSession::write(Bytes data) {
  TRY(state_->ended);
  if (!state_->established || data.empty()) return fail(Code::tls_failed, "tls.write_early");
  int result = mbedtls_ssl_write(state_->ssl.get(), data.data(), data.size());
  if (result > 0) return Transfer{static_cast<size_t>(result), TlsWant::nothing};
  if (result == 0) result = MBEDTLS_ERR_SSL_WANT_WRITE;
  TRY_LET(TlsWant want, state_->want_or_end(result, "tls.write"));
  return Transfer{0, want};
}

void TlsSession::close() {
  if (!state_->established || !state_->ended.ok()) return;
  (void)mbedtls_ssl_close_notify(state_->ssl.get());  // best effort: the peer may be gone
  state_->ended = fail(Code::closed, "tls.close");
}

int TlsSession::fd() const { return state_->fd.get(); }

Result<Secret<32>> TlsSession::exporter() const {
  if (!state_->established) return fail(Code::tls_failed, "tls.exporter_early");
  Secret<32> out;
  TRY(mbed_ok(mbedtls_ssl_export_keying_material(state_->ssl.get(), out.fill().data(), out.size(), kExporterLabel.data(),
                                                 kExporterLabel.size(), nullptr, 0, 0),
              Code::tls_failed, "tls.exporter"));
  return out;
}

const Digest32& TlsSession::own_spki_hash() const { return state_->identity->spki_hash(); }

Result<Digest32> TlsSession::peer_spki_hash() const {
  const mbedtls_x509_crt* peer = state_->established ? mbedtls_ssl_get_peer_cert(state_->ssl.get()) : nullptr;
  if (peer == nullptr) return fail(Code::tls_failed, "tls.peer_certificate");
  return sha256({Bytes(peer->pk_raw.p, peer->pk_raw.len)});
}

bool TlsSession::has_buffered_input() const { return mbedtls_ssl_check_pending(state_->ssl.get()) != 0; }

}  // namespace cstl
