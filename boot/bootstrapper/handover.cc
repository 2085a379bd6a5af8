#include "boot/bootstrapper/handover.h"

#include "boot/kubernetes/join.h"

namespace cstl {
namespace {

constexpr size_t kMaxText = 256;

size_t max_text(News::Kind kind) { return kind == News::Kind::entered ? kMaxKubeconfig : kMaxText; }

}  // namespace

Result<SecretBuffer> encode_admission(const Admission& admission) {
  std::string node = admission.node.to_json();
  Bytes ticket = admission.ticket ? admission.ticket->declassify() : Bytes();
  SecretBuffer out(2 + node.size() + kKeySize + 1 + (admission.master ? 2 * kKeySize : 0) + 4 +
                   admission.reference_values.size() + 4 + admission.cluster.size() + 4 + ticket.size());
  Writer w(out.space());
  w.bytes16(node);
  w.bytes(admission.disk_key.declassify());
  w.u8(admission.master ? 1 : 0);
  if (admission.master) {
    w.bytes(admission.master->key.declassify());
    w.bytes(admission.master->salt.declassify());
  }
  w.bytes32(admission.reference_values);
  w.bytes32(admission.cluster);
  w.bytes32(ticket);
  TRY(w.finish());
  return out;
}

Result<Admission> decode_admission(Bytes body) {
  Reader r(body);
  Admission out;
  TRY_LET(Bytes node, r.bytes16(kMaxNodeState));
  TRY_LET(out.node, NodeState::parse(node.text(), nullptr));
  TRY_LET(Bytes disk_key, r.bytes(kKeySize));
  TRY_LET(out.disk_key, Key32::copy_of(disk_key));
  TRY_LET(uint8_t has_master, r.u8());
  if (has_master > 1) return fail(Code::bad_value, "handover.master");
  const bool init = has_master == 1;
  if (init) {
    TRY_LET(Bytes key, r.bytes(kKeySize));
    TRY_LET(Bytes salt, r.bytes(kKeySize));
    MasterSecret master;
    TRY_LET(master.key, Key32::copy_of(key));
    TRY_LET(master.salt, Key32::copy_of(salt));
    out.master = std::move(master);
  }
  TRY_LET(Bytes references, r.bytes32(kMaxReferenceValues));
  out.reference_values = std::string(references.text());
  TRY_LET(Bytes cluster, r.bytes32(kMaxCluster));
  out.cluster = std::string(cluster.text());
  TRY_LET(Bytes ticket, r.bytes32(kMaxTicket));
  TRY(r.finish());
  if (init != !references.empty()) return fail(Code::bad_value, "handover.references");
  if (init) {
    if (out.node.role != Role::control_plane || !ticket.empty()) return fail(Code::bad_value, "handover.init");
    if (out.node.kubernetes == cluster.empty()) return fail(Code::bad_value, "handover.cluster");
    if (!cluster.empty()) TRY(ClusterConfig::parse(out.cluster, nullptr));
    return out;
  }
  if (!cluster.empty()) return fail(Code::bad_value, "handover.cluster");
  if (out.node.kubernetes == ticket.empty()) return fail(Code::bad_value, "handover.ticket");
  if (ticket.empty()) {
    if (out.node.role != Role::worker) return fail(Code::bad_value, "handover.role");
    return out;
  }
  TRY_LET(JoinTicket decoded, JoinTicket::decode(ticket));
  if (!decoded.kubernetes) return fail(Code::bad_value, "handover.ticket");
  TRY(kubernetes::check_kubernetes_ticket(*decoded.kubernetes, out.node.role));
  SecretBuffer kept(ticket.size());
  std::memcpy(kept.space().data(), ticket.data(), ticket.size());
  out.ticket = std::move(kept);
  return out;
}

Status give_admission(int fd, const Admission& admission) {
  TRY_LET(SecretBuffer body, encode_admission(admission));
  uint8_t header[4];
  Writer w(MutBytes(header, sizeof header));
  w.u32(static_cast<uint32_t>(body.size()));
  TRY_LET(Bytes length, w.finish());
  TRY(write_all(fd, length));
  return write_all(fd, body.declassify());
}

Result<Admission> take_admission(int fd) {
  uint8_t header[4];
  TRY(read_exact(fd, MutBytes(header, sizeof header)));
  Reader r(Bytes(header, sizeof header));
  TRY_LET(uint32_t size, r.u32());
  if (size > kMaxAdmission) return fail(Code::too_long, "handover.size");
  SecretBuffer body(size);
  TRY(read_exact(fd, body.space()));
  return decode_admission(body.declassify());
}

Status give_news(int fd, const News& news) {
  const std::string_view text = std::string_view(news.text).substr(0, max_text(news.kind));
  SecretBuffer space(5 + text.size());
  Writer w(space.space());
  w.u8(static_cast<uint8_t>(news.kind));
  w.u16(static_cast<uint16_t>(news.code));
  w.bytes16(text);
  TRY_LET(Bytes encoded, w.finish());
  return write_all(fd, encoded);
}

Result<News> take_news(int fd) {
  uint8_t header[5];
  TRY(read_exact(fd, MutBytes(header, sizeof header)));
  Reader r(Bytes(header, sizeof header));
  TRY_LET(uint8_t kind, r.u8());
  TRY_LET(uint16_t code, r.u16());
  TRY_LET(uint16_t size, r.u16());
  if (kind < 1 || kind > 4) return fail(Code::bad_value, "handover.news");
  News out;
  out.kind = static_cast<News::Kind>(kind);
  if (size > max_text(out.kind)) return fail(Code::bad_value, "handover.news");
  out.code = code_from_number(code);
  out.text.resize(size);
  TRY(read_exact(fd, MutBytes(reinterpret_cast<uint8_t*>(out.text.data()), size)));
  return out;
}

Status ask_for_client(int fd) {
  TRY(give_news(fd, News{News::Kind::ask, Code::ok, ""}));
  uint8_t there = 0;
  TRY(read_exact(fd, MutBytes(&there, 1)));
  if (there != 1) return fail(Code::closed, "init.client_gone");
  return success();
}

Status answer_for_client(int fd, bool there) {
  const uint8_t byte = there ? 1 : 0;
  return write_all(fd, Bytes(&byte, 1));
}

}  // namespace cstl
