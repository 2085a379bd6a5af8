#include "svc/wire/join.h"

#include "svc/wire/secret_field.h"

namespace cstl {

namespace {
constexpr size_t kTicketSize = 2 * kKeySize + 32 + 65 + 1;
constexpr size_t kTokenSize = 23;
constexpr size_t kMaxEndpointText = 64;
constexpr size_t kMaxCaCertificate = 8 * 1024;
constexpr size_t kMaxCertificate = 16 * 1024;

bool alphanumeric(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// The flag in front of a part that may be absent. Errors: truncated, bad_value.
Result<bool> read_flag(Reader& r) {
  TRY_LET(uint8_t flag, r.u8());
  if (flag > 1) return fail(Code::bad_value, "ticket.flag");
  return flag == 1;
}

// A field that must not be empty. Errors: truncated, too_long, bad_value.
Result<Bytes> read_some16(Reader& r, size_t max) {
  TRY_LET(Bytes field, r.bytes16(max));
  if (field.empty()) return fail(Code::bad_value, "ticket.empty");
  return field;
}

Result<ControlPlaneTicket> read_control_plane(Reader& r) {
  ControlPlaneTicket m;
  for (Bytes& file : m.pki) {
    TRY_LET(file, read_some16(r, kMaxPkiFile));
  }
  TRY_LET(m.secrets_key, read_secret<kKeySize>(r));
  return m;
}

Result<KubernetesTicket> read_kubernetes(Reader& r) {
  KubernetesTicket m;
  TRY_LET(m.cluster, r.bytes32(kMaxCluster));
  if (m.cluster.empty()) return fail(Code::bad_value, "ticket.cluster");
  TRY_LET(m.endpoint, read_some16(r, kMaxEndpointText));
  TRY_LET(m.ca_hash, r.fixed<32>());
  TRY_LET(m.token, r.bytes(kTokenSize));
  TRY_LET(m.ca_certificate, read_some16(r, kMaxCaCertificate));
  TRY_LET(m.certificate, read_some16(r, kMaxCertificate));
  TRY_LET(bool control_plane, read_flag(r));
  if (control_plane) {
    TRY_LET(m.control_plane, read_control_plane(r));
  }
  return m;
}

Status check_field(Bytes field, size_t max) {
  if (field.empty()) return fail(Code::bad_value, "ticket.empty");
  if (field.size() > max) return fail(Code::too_long, "ticket.field");
  return success();
}

// The size of the encoded part. Errors: bad_value, too_long.
Result<size_t> kubernetes_size(const KubernetesTicket& m) {
  TRY(check_field(m.cluster, kMaxCluster));
  TRY(check_field(m.endpoint, kMaxEndpointText));
  if (m.token.size() != kTokenSize) return fail(Code::bad_value, "ticket.token");
  TRY(check_field(m.ca_certificate, kMaxCaCertificate));
  TRY(check_field(m.certificate, kMaxCertificate));
  size_t size = 4 + m.cluster.size() + 2 + m.endpoint.size() + m.ca_hash.size() + kTokenSize + 2 + m.ca_certificate.size() +
                2 + m.certificate.size() + 1;
  if (!m.control_plane) return size;
  for (Bytes file : m.control_plane->pki) {
    TRY(check_field(file, kMaxPkiFile));
    size += 2 + file.size();
  }
  return size + kKeySize;
}

void write_kubernetes(Writer& w, const KubernetesTicket& m) {
  w.bytes32(m.cluster);
  w.bytes16(m.endpoint);
  w.bytes(m.ca_hash);
  w.bytes(m.token);
  w.bytes16(m.ca_certificate);
  w.bytes16(m.certificate);
  w.u8(m.control_plane ? 1 : 0);
  if (!m.control_plane) return;
  for (Bytes file : m.control_plane->pki) w.bytes16(file);
  w.bytes(m.control_plane->secrets_key.declassify());
}
}  // namespace

const char* pki_file_path(PkiFile file) {
  switch (file) {
    case PkiFile::ca_crt: return "ca.crt";
    case PkiFile::ca_key: return "ca.key";
    case PkiFile::sa_key: return "sa.key";
    case PkiFile::sa_pub: return "sa.pub";
    case PkiFile::front_proxy_ca_crt: return "front-proxy-ca.crt";
    case PkiFile::front_proxy_ca_key: return "front-proxy-ca.key";
    case PkiFile::etcd_ca_crt: return "etcd/ca.crt";
    case PkiFile::etcd_ca_key: return "etcd/ca.key";
  }
  trap("join.pki_file");
}

bool valid_node_name(Bytes name) {
  if (name.empty() || name.size() > kMaxNodeName) return false;
  if (!alphanumeric(name[0]) || !alphanumeric(name[name.size() - 1])) return false;
  for (uint8_t c : name) {
    if (!alphanumeric(c) && c != '-') return false;
  }
  return true;
}

Result<JoinRequest> JoinRequest::decode(Bytes body) {
  Reader r(body);
  JoinRequest m;
  TRY_LET(m.disk, r.fixed<16>());
  TRY_LET(uint8_t role, r.u8());
  TRY_LET(m.role, role_from_number(role));
  TRY_LET(m.name, r.bytes16(kMaxNodeName));
  if (!valid_node_name(m.name)) return fail(Code::bad_value, "join.name");
  TRY_LET(m.address, r.bytes16(kMaxAddress));
  TRY_LET(m.csr, r.bytes16(kMaxCsr));
  TRY_LET(m.wireguard_key, r.fixed<32>());
  TRY(r.finish());
  return m;
}

Result<Bytes> JoinRequest::encode(MutBytes out) const {
  if (!valid_node_name(name)) return fail(Code::bad_value, "join.name");
  if (address.size() > kMaxAddress) return fail(Code::too_long, "join.address");
  if (csr.size() > kMaxCsr) return fail(Code::too_long, "join.csr");
  Writer w(out);
  w.bytes(disk);
  w.u8(static_cast<uint8_t>(role));
  w.bytes16(name);
  w.bytes16(address);
  w.bytes16(csr);
  w.bytes(wireguard_key);
  return w.finish();
}

Result<JoinTicket> JoinTicket::decode(Bytes body) {
  Reader r(body);
  JoinTicket m;
  TRY_LET(m.disk_key, read_secret<kKeySize>(r));
  TRY_LET(m.measurement_key, read_secret<kKeySize>(r));
  TRY_LET(m.measurement_salt, r.fixed<32>());
  TRY_LET(m.owner_key, r.fixed<65>());
  TRY_LET(bool kubernetes, read_flag(r));
  if (kubernetes) {
    TRY_LET(m.kubernetes, read_kubernetes(r));
  }
  TRY(r.finish());
  return m;
}

Result<SecretBuffer> JoinTicket::encode() const {
  size_t size = kTicketSize;
  if (kubernetes) {
    TRY_LET(size_t part, kubernetes_size(*kubernetes));
    size += part;
  }
  return write_secrets(size, [&](Writer& w) {
    w.bytes(disk_key.declassify());
    w.bytes(measurement_key.declassify());
    w.bytes(measurement_salt);
    w.bytes(owner_key);
    w.u8(kubernetes ? 1 : 0);
    if (kubernetes) write_kubernetes(w, *kubernetes);
  });
}

Result<RejoinRequest> RejoinRequest::decode(Bytes body) {
  Reader r(body);
  RejoinRequest m;
  TRY_LET(m.disk, r.fixed<16>());
  TRY(r.finish());
  return m;
}

Result<Bytes> RejoinRequest::encode(MutBytes out) const {
  Writer w(out);
  w.bytes(disk);
  return w.finish();
}

Result<RejoinTicket> RejoinTicket::decode(Bytes body) {
  Reader r(body);
  RejoinTicket m;
  TRY_LET(m.disk_key, read_secret<kKeySize>(r));
  TRY_LET(m.measurement_key, read_secret<kKeySize>(r));
  TRY(r.finish());
  return m;
}

Result<SecretBuffer> RejoinTicket::encode() const {
  return write_secrets(2 * kKeySize, [&](Writer& w) {
    w.bytes(disk_key.declassify());
    w.bytes(measurement_key.declassify());
  });
}

}  // namespace cstl
