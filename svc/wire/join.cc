#include "svc/wire/join.h"

#include "svc/wire/secret_field.h"

namespace cstl {

namespace {
constexpr size_t kTicketSize = 2 * kKeySize + 32 + 65 + 1 + 4;  // without master secret and reference values
constexpr uint8_t kWithoutMaster = 0;
constexpr uint8_t kWithMaster = 1;

bool alphanumeric(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
}  // namespace

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
  TRY(r.finish());
  return m;
}

Result<Bytes> JoinRequest::encode(MutBytes out) const {
  if (!valid_node_name(name)) return fail(Code::bad_value, "join.name");
  Writer w(out);
  w.bytes(disk);
  w.u8(static_cast<uint8_t>(role));
  w.bytes16(name);
  return w.finish();
}

Result<JoinTicket> JoinTicket::decode(Bytes body) {
  Reader r(body);
  JoinTicket m;
  TRY_LET(m.disk_key, read_secret<kKeySize>(r));
  TRY_LET(m.measurement_key, read_secret<kKeySize>(r));
  TRY_LET(m.measurement_salt, r.fixed<32>());
  TRY_LET(m.owner_key, r.fixed<65>());
  TRY_LET(uint8_t with_master, r.u8());
  if (with_master > kWithMaster) return fail(Code::bad_value, "ticket.with_master");
  if (with_master == kWithMaster) {
    MasterSecret& master = m.master.emplace();
    TRY_LET(master.key, read_secret<kKeySize>(r));
    TRY_LET(master.salt, read_secret<kKeySize>(r));
  }
  TRY_LET(m.reference_values, r.bytes32(kMaxReferenceValues));
  if (m.reference_values.empty() == m.master.has_value()) return fail(Code::bad_value, "ticket.reference_values");
  TRY(r.finish());
  return m;
}

Result<SecretBuffer> JoinTicket::encode() const {
  if (reference_values.size() > kMaxReferenceValues) return fail(Code::too_long, "ticket.reference_values");
  if (reference_values.empty() == master.has_value()) return fail(Code::bad_value, "ticket.reference_values");
  size_t size = kTicketSize + reference_values.size() + (master ? 2 * kKeySize : 0);
  return write_secrets(size, [&](Writer& w) {
    w.bytes(disk_key.declassify());
    w.bytes(measurement_key.declassify());
    w.bytes(measurement_salt);
    w.bytes(owner_key);
    w.u8(master ? kWithMaster : kWithoutMaster);
    if (master) {
      w.bytes(master->key.declassify());
      w.bytes(master->salt.declassify());
    }
    w.bytes32(reference_values);
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
