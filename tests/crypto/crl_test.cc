// CRLs, and chains judged with them: by authorities made here, and Intel's real lists (CSTL_EVIDENCE).
#include "crypto/crl.h"

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>

#include "crypto/base/fd.h"
#include "crypto/verified_signatures.h"
#include "crypto/x509.h"
#include "tests/harness/der_maker.h"

using namespace cstl;
using namespace cstl::test::make;

namespace {
constexpr int64_t kFrom = 1700000000, kNow = 1750000000, kUntil = 1800000000;
constexpr std::array<uint8_t, 8> kEcdsaSha256{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
constexpr std::array<uint8_t, 7> kEcKey{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
constexpr std::array<uint8_t, 8> kP256{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::array<uint8_t, 3> kBasicConstraints{0x55, 0x1d, 0x13}, kKeyUsage{0x55, 0x1d, 0x0f};
constexpr std::array<uint8_t, 3> kNameConstraints{0x55, 0x1d, 0x1e};
constexpr std::array<uint8_t, 3> kReason{0x55, 0x1d, 0x15}, kCrlNumber{0x55, 0x1d, 0x14};
constexpr std::array<uint8_t, 3> kDelta{0x55, 0x1d, 0x1b}, kIdp{0x55, 0x1d, 0x1c}, kEntryIssuer{0x55, 0x1d, 0x1d};

Der algorithm() { return sequence({oid(kEcdsaSha256)}); }

Der signed_by(const SigningKey& key, const Der& body) {
  P256Signature raw = *key.sign(*sha256({body}));
  Bytes both = raw;
  return sequence({body, algorithm(), bits(sequence({integer(both.first(32)), integer(both.skip(32))}))});
}

struct Authority {
  std::string subject;
  SigningKey key = std::move(*SigningKey::generate());
};

Der certificate(const Authority& issuer, const Authority& of, uint32_t serial, bool ca, uint8_t usage = 0x06,
                int64_t from = kFrom, int64_t until = kUntil, int path_length = -1, const Der& more = {}) {
  Der constraints = !ca ? sequence({})
                    : path_length < 0
                        ? sequence({tlv(der::kBoolean, Der{0xff})})
                        : sequence({tlv(der::kBoolean, Der{0xff}), integer(static_cast<uint32_t>(path_length))});
  Der extensions = sequence({extension(kBasicConstraints, true, constraints),
                             extension(kKeyUsage, true, Der{der::kBitString, 2, 1, ca ? usage : uint8_t{0x80}}), more});
  Der spki = sequence({sequence({oid(kEcKey), oid(kP256)}), bits(Bytes(of.key.point()).copy())});
  return signed_by(issuer.key, sequence({tlv(der::constructed_context(0), integer(2u)), integer(serial), algorithm(),
                                         name(issuer.subject), sequence({time(from), time(until)}), name(of.subject),
                                         spki, tlv(der::constructed_context(3), extensions)}));
}

struct List {
  std::vector<uint32_t> serials;
  int64_t from = kFrom, until = kUntil;
  Der extensions = extension(kCrlNumber, false, integer(1u));
  Der entry_extensions = extension(kReason, false, Der{der::kEnumerated, 1, 1});
};

Der crl(const Authority& issuer, const List& list) {
  Der entries;
  for (uint32_t serial : list.serials) {
    entries = join({entries, sequence({integer(serial), time(kFrom), tlv(der::kSequence, list.entry_extensions)})});
  }
  Der body = sequence({integer(1u), algorithm(), name(issuer.subject), time(list.from), time(list.until),
                       entries.empty() ? Der{} : tlv(der::kSequence, entries),
                       tlv(der::constructed_context(0), tlv(der::kSequence, list.extensions))});
  return signed_by(issuer.key, body);
}

// root → ca (serial 2) → leaf (serial 3)
struct Tree {
  Authority root{"root"}, ca{"ca"}, leaf{"leaf"}, stranger{"root"};
  Der root_der = certificate(root, root, 1, true), ca_der = certificate(root, ca, 2, true);
  Der leaf_der = certificate(ca, leaf, 3, false);

  Code verify(const std::vector<Der>& crls, CrlDemand demand, int64_t now = kNow) const {
    std::vector<Bytes> lists(crls.begin(), crls.end());
    Digest32 pin = *certificate_spki_hash(root_der);
    return verify_chain(leaf_der, {ca_der, root_der}, {&pin, 1, now, &lists, demand}).code();
  }
};

const Tree& tree() {
  static const Tree made;
  return made;
}

Der evidence(const char* name) {
  const char* prefix = std::getenv("CSTL_EVIDENCE");
  if (prefix == nullptr) return {};
  std::string path = std::string(prefix) + "/usr/share/gocode/src/github.com/google/" + name;
  auto file = read_file(path.c_str(), 1 << 20);
  REQUIRE(file.ok());
  return *file;
}
}  // namespace

TEST_CASE("CRLs decide what of a chain is revoked, and whether it is covered") {
  const Tree& t = tree();
  List none, leaf, ca, old, early, reason_free;
  leaf.serials = {7, 3, 9};
  ca.serials = {2};
  old.until = kNow - 1;
  early.from = kNow + 1;
  List old_leaf = old;
  old_leaf.serials = {3};
  Der by_root = crl(t.root, none), by_ca = crl(t.ca, none);
  Authority impostor{"ca"}, stranger{"else"};
  struct Row {
    const char* why;
    std::vector<Der> crls;
    CrlDemand demand;
    Code code;
  } rows[] = {
      {"no list, none demanded", {}, CrlDemand::none, Code::ok},
      {"no list, intermediates demanded", {}, CrlDemand::intermediates, Code::crl_missing},
      {"root's list covers the intermediate", {by_root}, CrlDemand::intermediates, Code::ok},
      {"root's list does not cover the leaf", {by_root}, CrlDemand::all, Code::crl_missing},
      {"both lists cover all", {by_ca, by_root}, CrlDemand::all, Code::ok},
      {"the leaf is revoked", {crl(t.ca, leaf), by_root}, CrlDemand::all, Code::certificate_revoked},
      {"the leaf is revoked, none demanded", {crl(t.ca, leaf)}, CrlDemand::none, Code::certificate_revoked},
      {"the intermediate is revoked", {by_ca, crl(t.root, ca)}, CrlDemand::all, Code::certificate_revoked},
      {"the leaf's serial on the root's list means another", {by_ca, crl(t.root, leaf)}, CrlDemand::all, Code::ok},
      {"an old list", {by_root, crl(t.ca, old)}, CrlDemand::all, Code::crl_expired},
      {"an old list, none demanded", {crl(t.ca, old)}, CrlDemand::none, Code::crl_expired},
      {"an old list beside a current one", {by_root, crl(t.ca, old), by_ca}, CrlDemand::all, Code::ok},
      {"what an old list revokes stays so", {by_root, by_ca, crl(t.ca, old_leaf)}, CrlDemand::all,
       Code::certificate_revoked},
      {"a list of the future", {by_root, crl(t.ca, early)}, CrlDemand::all, Code::crl_not_yet_valid},
      {"a list by another key of that name", {by_root, crl(impostor, none)}, CrlDemand::all, Code::crl_signature},
      {"a list of a stranger does not count", {by_root, by_ca, crl(stranger, leaf)}, CrlDemand::all, Code::ok},
      {"a malformed list", {by_root, by_ca, Der{0x30, 0}}, CrlDemand::none, Code::crl_malformed},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    CHECK(t.verify(row.crls, row.demand) == row.code);
    CHECK(t.verify(row.crls, row.demand) == row.code);  // and again, by memory
  }
  CHECK(t.verify({by_root, crl(t.ca, old)}, CrlDemand::all, 0) == Code::ok);  // no clock
}

TEST_CASE("a serial number is revoked however its zeros and its sign were written") {
  // RFC 5280 wants 0x80 written as 00 80; some writers forget the zero, in the certificate or in the list.
  Authority root{"root"};
  for (const Der& written : {Der{0x80}, Der{0x00, 0x80}, Der{0x00, 0x00, 0x80}}) {
    Der entry = sequence({tlv(der::kInteger, written), time(kFrom)});
    Der body = sequence({integer(1u), algorithm(), name(root.subject), time(kFrom), time(kUntil),
                         tlv(der::kSequence, entry)});
    auto list = signed_by(root.key, body);
    auto parsed = Crl::parse(list);
    REQUIRE(parsed.ok());
    CHECK(parsed->lists(Der{0x80}));
    CHECK(parsed->lists(Der{0x00, 0x80}));
    CHECK_FALSE(parsed->lists(Der{0x81}));
    CHECK_FALSE(parsed->lists(Der{0x80, 0x00}));
  }
}

TEST_CASE("only an authority that may sign lists signs them") {
  const Tree& t = tree();
  Der ca_without = certificate(t.root, t.ca, 2, true, 0x04);  // keyCertSign only
  List none;
  Der list = crl(t.ca, none);
  Result<Crl> parsed = Crl::parse(list);
  REQUIRE(parsed.ok());
  CHECK(parsed->verify(t.ca_der, kNow).ok());
  CHECK(parsed->verify(ca_without, kNow).code() == Code::crl_signature);
  CHECK(parsed->verify(t.root_der, kNow).code() == Code::crl_signature);
  CHECK(parsed->verify(t.ca_der, kFrom - 1).code() == Code::crl_not_yet_valid);
  CHECK(parsed->verify(t.ca_der, kFrom).ok());
  CHECK(parsed->verify(t.ca_der, kUntil).ok());
  CHECK(parsed->verify(t.ca_der, kUntil + 1).code() == Code::crl_expired);
  CHECK(parsed->verify(Der{0x30, 0}, kNow).code() == Code::bad_certificate);
}

TEST_CASE("path rules: authority, path length, validity of every certificate") {
  const Tree& t = tree();
  Authority sub{"sub"}, low{"low"};
  Digest32 pin = *certificate_spki_hash(t.root_der);
  Der no_ca = certificate(t.root, t.ca, 2, false), no_sign = certificate(t.root, t.ca, 2, true, 0x02);
  Der sub_der = certificate(t.ca, sub, 4, true), low_der = certificate(sub, low, 5, false);
  auto verify = [&](const Der& leaf, const std::vector<Der>& others, int64_t now = kNow) {
    return verify_chain(leaf, std::vector<Bytes>(others.begin(), others.end()), {&pin, 1, now}).code();
  };
  CHECK(verify(t.leaf_der, {t.ca_der, t.root_der}) == Code::ok);
  CHECK(verify(t.leaf_der, {no_ca, t.root_der}) == Code::untrusted_chain);
  CHECK(verify(t.leaf_der, {no_sign, t.root_der}) == Code::untrusted_chain);
  CHECK(verify(t.leaf_der, {no_ca, t.ca_der, t.root_der}) == Code::ok);  // the right one is found
  CHECK(verify(low_der, {sub_der, t.ca_der, t.root_der}) == Code::ok);
  for (int length : {0, 1}) {
    Der ca = certificate(t.root, t.ca, 2, true, 0x06, kFrom, kUntil, length);
    CHECK(verify(t.leaf_der, {ca, t.root_der}) == Code::ok);
    CHECK(verify(low_der, {sub_der, ca, t.root_der}) == (length == 0 ? Code::untrusted_chain : Code::ok));
  }
  for (bool critical : {true, false}) {  // what narrows an authority in ways that are not judged
    Der narrow = extension(kNameConstraints, critical, sequence({tlv(der::constructed_context(0), sequence({}))}));
    Der ca = certificate(t.root, t.ca, 2, true, 0x06, kFrom, kUntil, -1, narrow);
    CHECK(verify(t.leaf_der, {ca, t.root_der}) == Code::bad_certificate);
  }
  Der brief = certificate(t.root, t.ca, 2, true, 0x06, kFrom, kNow);
  CHECK(verify(t.leaf_der, {brief, t.root_der}) == Code::ok);
  CHECK(verify(t.leaf_der, {brief, t.root_der}, kNow + 1) == Code::certificate_expired);
  Der late = certificate(t.root, t.ca, 2, true, 0x06, kNow + 1);
  CHECK(verify(t.leaf_der, {late, t.root_der}) == Code::certificate_not_yet_valid);
  CHECK(verify(t.leaf_der, {t.ca_der, certificate(t.stranger, t.stranger, 1, true)}) == Code::untrusted_chain);
}

TEST_CASE("a list that means less, more or other than all of its issuer's is refused") {
  const Tree& t = tree();
  auto code = [&](const List& list) { return Crl::parse(crl(t.ca, list)).code(); };
  List plain;
  plain.serials = {1};
  CHECK(code(plain) == Code::ok);
  for (bool critical : {false, true}) {
    for (Bytes id : {Bytes(kDelta), Bytes(kIdp)}) {
      List scoped = plain;
      scoped.extensions = extension(id, critical, Der{0x30, 0});
      CHECK(code(scoped) == Code::crl_malformed);
    }
    List indirect = plain;
    indirect.entry_extensions = extension(kEntryIssuer, critical, Der{0x30, 0});
    CHECK(code(indirect) == Code::crl_malformed);
  }
  List critical = plain;
  critical.entry_extensions = extension(kReason, true, Der{der::kEnumerated, 1, 1});
  CHECK(code(critical) == Code::crl_malformed);
}

TEST_CASE("a list that is cut, goes on, or has any bit flipped is refused") {
  const Tree& t = tree();
  List list;
  list.serials = {3, 77};
  Der der = crl(t.ca, list);
  for (size_t size = 0; size < der.size(); ++size) CHECK(Crl::parse(Bytes(der).first(size)).code() == Code::crl_malformed);
  for (size_t bit = 0; bit < der.size() * 8; ++bit) {
    der[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    CAPTURE(bit);
    Result<Crl> parsed = Crl::parse(der);
    Code code = parsed.ok() ? parsed->verify(t.ca_der, kNow).code() : parsed.code();
    CHECK((code == Code::crl_malformed || code == Code::crl_signature));
    der[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
  der.push_back(0);
  CHECK(Crl::parse(der).code() == Code::crl_malformed);
}

TEST_CASE("verified signatures are remembered, few of them, and only if every byte is the same") {
  VerifiedSignatures memory;
  PublicKey key;
  key.spki = {1, 2, 3};
  SignatureAlgorithm algorithm;
  Der digest(32, 5), signature(64, 6);
  memory.add(key, algorithm, digest, signature);
  CHECK(memory.contains(key, algorithm, digest, signature));
  SignatureAlgorithm salted = algorithm;
  salted.salt = 1;
  CHECK(!memory.contains(key, salted, digest, signature));
  PublicKey other = key;
  other.spki[0] ^= 1;
  CHECK(!memory.contains(other, algorithm, digest, signature));
  Der changed = digest;
  changed[31] ^= 1;
  CHECK(!memory.contains(key, algorithm, changed, signature));
  CHECK(!memory.contains(key, algorithm, digest, Bytes(signature).first(63)));
  for (uint8_t i = 0; i < VerifiedSignatures::kEntries; ++i) memory.add(key, algorithm, Der(32, 100 + i), signature);
  CHECK(memory.size() == VerifiedSignatures::kEntries);
  CHECK(!memory.contains(key, algorithm, digest, signature));  // the oldest went
  CHECK(memory.contains(key, algorithm, Der(32, 100), signature));
  memory.clear();
  CHECK(memory.size() == 0);
}

TEST_CASE("Intel's real lists") {
  Der pck_list = evidence("go-tdx-guest/testing/testdata/pckcrl");
  Der root_list = evidence("go-tdx-guest/testing/testdata/rootcrl.der");
  if (pck_list.empty()) {
    MESSAGE("CSTL_EVIDENCE is not set: Intel's lists are not read");
    return;
  }
  Result<Crl> pck = Crl::parse(pck_list), root = Crl::parse(root_list);
  REQUIRE(pck.ok());
  REQUIRE(root.ok());
  CHECK(pck->this_update() == 1686209272);  // 2023-06-08T07:27:52Z
  CHECK(pck->next_update() == 1688801272);
  CHECK(root->next_update() == 1712053371);  // 2024-04-02T10:22:51Z
  Der serial(20);
  REQUIRE(from_hex("6fc34e5023e728923435d61aa4b83c618166ad35", serial).ok());
  CHECK(pck->lists(serial));
  CHECK(!root->lists(serial));
  serial[19] ^= 1;
  CHECK(!pck->lists(serial));
}

TEST_CASE("AMD's real Milan chain verifies, RSA-4096 with PSS and SHA-384, and its leaf's extensions are found") {
  Der pem = evidence("go-sev-guest/verify/testdata/milan.testcer");
  Der leaf = evidence("go-sev-guest/verify/testdata/vcek.testcer");
  if (pem.empty()) {
    MESSAGE("CSTL_EVIDENCE is not set: AMD's chain is not verified");
    return;
  }
  auto chain = certificates_from_file(pem);
  REQUIRE(chain.ok());
  REQUIRE(chain->size() == 2);
  Digest32 pin = *certificate_spki_hash(chain->back());
  std::vector<Bytes> others(chain->begin(), chain->end());
  CHECK(verify_chain(leaf, others, {&pin, 1, kNow}).ok());
  CHECK(verify_chain(leaf, others, {&pin, 1, 2000000000}).code() == Code::certificate_expired);
  CHECK(verify_chain(leaf, others, {&pin, 1, kNow, nullptr, CrlDemand::intermediates}).code() == Code::crl_missing);
  for (size_t at = 16; at < leaf.size(); at += 29) {
    leaf[at] ^= 4;
    CHECK(!verify_chain(leaf, others, {&pin, 1, 0}).ok());
    leaf[at] ^= 4;
  }
  Result<CertificateView> view = CertificateView::parse(leaf);
  REQUIRE(view.ok());
  constexpr std::array<uint8_t, 9> kHwid{0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01, 0x04};
  bool critical = true;
  Result<Bytes> hwid = view->extension(kHwid, &critical);
  REQUIRE(hwid.ok());
  CHECK(hwid->size() == 64);
  CHECK(!critical);
  constexpr std::array<uint8_t, 9> kNothing{0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01, 0x05};
  CHECK(view->extension(kNothing).code() == Code::extension_missing);
}
