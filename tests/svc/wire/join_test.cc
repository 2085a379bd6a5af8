#include "svc/wire/join.h"

#include "tests/svc/wire/replay.h"

using namespace cstl;

namespace {
JoinTicket worker_ticket() {
  JoinTicket m;
  m.disk_key = repeated<32>(1);
  m.measurement_key = repeated<32>(2);
  m.measurement_salt.fill(3);
  m.owner_key.fill(4);
  return m;
}

JoinTicket kubernetes_ticket() {
  JoinTicket m = worker_ticket();
  KubernetesTicket& k = m.kubernetes.emplace();
  k.cluster = "{}";
  k.endpoint = "10.0.2.15:6443";
  k.ca_hash.fill(5);
  k.token = "abcdef.0123456789abcdef";
  k.ca_certificate = "the CA";
  k.certificate = "the certificate";
  return m;
}

JoinTicket control_plane_ticket() {
  JoinTicket m = kubernetes_ticket();
  ControlPlaneTicket& c = m.kubernetes->control_plane.emplace();
  const char* files[kPkiFiles] = {"a", "bb", "c", "d", "e", "f", "g", "hh"};
  for (size_t i = 0; i < kPkiFiles; ++i) c.pki[i] = files[i];
  c.secrets_key = repeated<32>(6);
  return m;
}

constexpr size_t kWithKubernetesAt = 32 * 3 + 65;
}  // namespace

TEST_CASE("node names are RFC 1123 labels in lower case") {
  for (const char* good : {"a", "0", "worker-0", "a--b"}) CHECK(valid_node_name(good));
  CHECK(valid_node_name(std::string(63, 'a')));
  for (const char* bad : {"", "-a", "a-", "A", "a.b", "a_b", "a b", "a\n", "ä"}) {
    CAPTURE(std::string(bad));
    CHECK_FALSE(valid_node_name(bad));
  }
  CHECK_FALSE(valid_node_name(std::string(64, 'a')));
  CHECK_FALSE(valid_node_name(std::string("a\0b", 3)));
}

TEST_CASE("a join request comes back as it was written, and refuses all else") {
  std::array<uint8_t, kMaxJoinRequest> space{};
  JoinRequest m;
  m.disk.fill(9);
  m.role = Role::control_plane;
  m.name = "worker-0";
  m.address = "10.0.2.16";
  m.csr = "a request";
  m.wireguard_key.fill(7);
  Result<Bytes> written = m.encode(space);
  REQUIRE(written.ok());
  Result<JoinRequest> back = JoinRequest::decode(*written);
  REQUIRE(back.ok());
  CHECK(back->disk == m.disk);
  CHECK(back->role == Role::control_plane);
  CHECK(back->name.text() == "worker-0");
  CHECK(back->address.text() == "10.0.2.16");
  CHECK(back->csr.text() == "a request");
  CHECK(back->wireguard_key == m.wireguard_key);
  auto code = [](Bytes body) { return JoinRequest::decode(body).code(); };
  refuse_cuts(*written, code);

  std::vector<uint8_t> body = written->copy();
  body[16] = 0;
  CHECK(code(body) == Code::bad_value);
  body[16] = 3;
  CHECK(code(body) == Code::bad_value);
  body[16] = 2;
  CHECK(code(body) == Code::ok);
  body[19] = 'W';
  CHECK(code(body) == Code::bad_value);
  body[18] = 64;
  CHECK(code(body) == Code::too_long);
  m.name = "Worker";
  CHECK(m.encode(space).code() == Code::bad_value);

  m.name = "worker-0";
  std::vector<uint8_t> big(kMaxCsr + 1, 1);
  m.csr = big;
  CHECK(m.encode(space).code() == Code::too_long);
  m.csr = Bytes(big).first(kMaxCsr);
  CHECK(m.encode(space).ok());
  m.address = Bytes(big).first(kMaxAddress + 1);
  CHECK(m.encode(space).code() == Code::too_long);
}

TEST_CASE("a ticket comes back as it was written: without Kubernetes, for a worker, for a control plane") {
  JoinTicket tickets[] = {worker_ticket(), kubernetes_ticket(), control_plane_ticket()};
  for (const JoinTicket& m : tickets) {
    Result<SecretBuffer> written = m.encode();
    REQUIRE(written.ok());
    Result<JoinTicket> back = JoinTicket::decode(written->declassify());
    REQUIRE(back.ok());
    CHECK(ct_equal(back->disk_key.declassify(), m.disk_key.declassify()));
    CHECK(ct_equal(back->measurement_key.declassify(), m.measurement_key.declassify()));
    CHECK(back->measurement_salt == m.measurement_salt);
    CHECK(back->owner_key == m.owner_key);
    REQUIRE(back->kubernetes.has_value() == m.kubernetes.has_value());
    if (m.kubernetes) {
      const KubernetesTicket& a = *m.kubernetes;
      const KubernetesTicket& b = *back->kubernetes;
      CHECK(b.cluster.text() == a.cluster.text());
      CHECK(b.endpoint.text() == a.endpoint.text());
      CHECK(b.ca_hash == a.ca_hash);
      CHECK(b.token.text() == a.token.text());
      CHECK(b.ca_certificate.text() == a.ca_certificate.text());
      CHECK(b.certificate.text() == a.certificate.text());
      REQUIRE(b.control_plane.has_value() == a.control_plane.has_value());
      if (a.control_plane) {
        for (size_t i = 0; i < kPkiFiles; ++i) CHECK(b.control_plane->pki[i].text() == a.control_plane->pki[i].text());
        CHECK(ct_equal(b.control_plane->secrets_key.declassify(), a.control_plane->secrets_key.declassify()));
      }
    }
    refuse_cuts(written->declassify(), [](Bytes body) { return JoinTicket::decode(body).code(); });
    CHECK(ct_equal(back->encode()->declassify(), written->declassify()));

    JoinTicket moved = std::move(*back);
    CHECK(is_zero(back->disk_key.declassify()));
    CHECK(is_zero(back->measurement_key.declassify()));
    if (m.kubernetes && m.kubernetes->control_plane) {
      CHECK(is_zero(back->kubernetes->control_plane->secrets_key.declassify()));
    }
  }
}

TEST_CASE("a ticket with an empty, overlong or badly flagged part is neither written nor read") {
  std::string big(64 * 1024 + 1, 'x');
  struct Row {
    const char* why;
    void (*change)(KubernetesTicket&, Bytes big);
    Code code;
  } rows[] = {
      {"no cluster", [](KubernetesTicket& k, Bytes) { k.cluster = Bytes(); }, Code::bad_value},
      {"a large cluster", [](KubernetesTicket& k, Bytes b) { k.cluster = b; }, Code::too_long},
      {"no endpoint", [](KubernetesTicket& k, Bytes) { k.endpoint = Bytes(); }, Code::bad_value},
      {"a large endpoint", [](KubernetesTicket& k, Bytes b) { k.endpoint = b.first(65); }, Code::too_long},
      {"a short token", [](KubernetesTicket& k, Bytes) { k.token = "abcdef"; }, Code::bad_value},
      {"no CA", [](KubernetesTicket& k, Bytes) { k.ca_certificate = Bytes(); }, Code::bad_value},
      {"a large CA", [](KubernetesTicket& k, Bytes b) { k.ca_certificate = b.first(8193); }, Code::too_long},
      {"no certificate", [](KubernetesTicket& k, Bytes) { k.certificate = Bytes(); }, Code::bad_value},
      {"a large certificate", [](KubernetesTicket& k, Bytes b) { k.certificate = b.first(16385); }, Code::too_long},
      {"no file", [](KubernetesTicket& k, Bytes) { k.control_plane->pki[3] = Bytes(); }, Code::bad_value},
      {"a large file", [](KubernetesTicket& k, Bytes b) { k.control_plane->pki[7] = b.first(8193); }, Code::too_long},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    JoinTicket m = control_plane_ticket();
    row.change(*m.kubernetes, big);
    CHECK(m.encode().code() == row.code);
  }
  std::vector<uint8_t> body = worker_ticket().encode()->declassify().copy();
  body[kWithKubernetesAt] = 2;
  CHECK(JoinTicket::decode(body).code() == Code::bad_value);
  body = kubernetes_ticket().encode()->declassify().copy();
  body.back() = 2;
  CHECK(JoinTicket::decode(body).code() == Code::bad_value);
  body.back() = 0;
  body[kWithKubernetesAt] = 0;
  CHECK(JoinTicket::decode(body).code() == Code::trailing);
  body = kubernetes_ticket().encode()->declassify().copy();
  std::fill(body.begin() + kWithKubernetesAt + 1, body.begin() + kWithKubernetesAt + 5, 0);  // the cluster's length
  CHECK(JoinTicket::decode(body).code() == Code::bad_value);
  body = control_plane_ticket().encode()->declassify().copy();
  body[body.size() - kKeySize - 4] = 0;  // the last file's length, of "hh"
  body[body.size() - kKeySize - 3] = 0;
  CHECK(JoinTicket::decode(body).code() == Code::bad_value);
}

TEST_CASE("the files of a control plane have the names that kubeadm knows") {
  CHECK(std::string(pki_file_path(PkiFile::ca_crt)) == "ca.crt");
  CHECK(std::string(pki_file_path(PkiFile::front_proxy_ca_key)) == "front-proxy-ca.key");
  CHECK(std::string(pki_file_path(PkiFile::etcd_ca_key)) == "etcd/ca.key");
}

TEST_CASE("rejoin request and ticket come back as they were written") {
  std::array<uint8_t, 16> space{};
  RejoinRequest request;
  request.disk.fill(3);
  Result<Bytes> written = request.encode(space);
  REQUIRE(written.ok());
  CHECK(RejoinRequest::decode(*written)->disk == request.disk);
  refuse_cuts(*written, [](Bytes body) { return RejoinRequest::decode(body).code(); });

  RejoinTicket ticket;
  ticket.disk_key = repeated<32>(1);
  ticket.measurement_key = repeated<32>(2);
  Result<SecretBuffer> secret = ticket.encode();
  REQUIRE(secret.ok());
  Result<RejoinTicket> back = RejoinTicket::decode(secret->declassify());
  REQUIRE(back.ok());
  CHECK(ct_equal(back->disk_key.declassify(), ticket.disk_key.declassify()));
  CHECK(ct_equal(back->measurement_key.declassify(), ticket.measurement_key.declassify()));
  refuse_cuts(secret->declassify(), [](Bytes body) { return RejoinTicket::decode(body).code(); });
}
