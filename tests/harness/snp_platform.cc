#include "tests/harness/snp_platform.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "attest/snp/collateral.h"
#include "attest/snp/reference.h"
#include "crypto/base/base64.h"
#include "crypto/x509.h"

namespace cstl::test {

using snp::Product;
using snp::Signer;

namespace {
[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "snp_platform: %s\n", what);
  std::abort();
}

void need(bool ok, const char* what) {
  if (!ok) give_up(what);
}

// --- AMD's names and algorithms ------------------------------------------------------------------------------------
Der pair(const char* oid, uint8_t tag, const std::string& value) {
  return der_element(
      der::kSet, {Bytes(der_element(der::kSequence, {Bytes(der_oid(oid)), Bytes(der_element(tag, {Bytes(value)}))}))});
}

Der name(const std::string& common) {
  return der_element(
      der::kSequence,
      {Bytes(pair("2.5.4.11", der::kUtf8, "Engineering")), Bytes(pair("2.5.4.6", der::kPrintable, "US")),
       Bytes(pair("2.5.4.7", der::kUtf8, "Santa Clara")), Bytes(pair("2.5.4.8", der::kUtf8, "CA")),
       Bytes(pair("2.5.4.10", der::kUtf8, "Advanced Micro Devices")), Bytes(pair("2.5.4.3", der::kUtf8, common))});
}

Der pss_algorithm() {
  Der null = der_element(der::kNull, {});
  Der hash = der_element(der::kSequence, {Bytes(der_oid("2.16.840.1.101.3.4.2.2")), Bytes(null)});
  Der mgf = der_element(der::kSequence, {Bytes(der_oid("1.2.840.113549.1.1.8")), Bytes(hash)});
  Der parameters =
      der_element(der::kSequence, {Bytes(der_element(der::constructed_context(0), {Bytes(hash)})),
                                   Bytes(der_element(der::constructed_context(1), {Bytes(mgf)})),
                                   Bytes(der_element(der::constructed_context(2), {Bytes(der_integer(48))}))});
  return der_element(der::kSequence, {Bytes(der_oid("1.2.840.113549.1.1.10")), Bytes(parameters)});
}

// --- RSA keys of ARK, ASK, ASVK ------------------------------------------------------------------------------------
struct RsaKey {
  mbedtls_pk_context pk;
  Der spki;

  RsaKey() {
    mbedtls_pk_init(&pk);
    FILE* pipe = popen(
        "openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER 2>/dev/null || "
        "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER 2>/dev/null",
        "r");
    need(pipe != nullptr, "no openssl");
    Der key(8192);
    key.resize(std::fread(key.data(), 1, key.size(), pipe));
    need(pclose(pipe) == 0, "openssl made no key");
    need(crypto_start().ok(), "crypto");
    need(mbedtls_pk_parse_key(&pk, key.data(), key.size(), nullptr, 0, random_callback, nullptr) == 0, "RSA key");
    uint8_t out[1024];
    int size = mbedtls_pk_write_pubkey_der(&pk, out, sizeof(out));
    need(size > 0, "RSA public key");
    spki.assign(out + sizeof(out) - size, out + sizeof(out));
  }
  RsaKey(const RsaKey&) = delete;
  RsaKey& operator=(const RsaKey&) = delete;
  ~RsaKey() { mbedtls_pk_free(&pk); }

  Der sign(Bytes message) {
    auto digest = sha384({message});
    need(digest.ok(), "hash");
    mbedtls_rsa_context* rsa = mbedtls_pk_rsa(pk);
    need(mbedtls_rsa_set_padding(rsa, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA384) == 0, "padding");
    Der signature(mbedtls_rsa_get_len(rsa));
    need(mbedtls_rsa_rsassa_pss_sign_ext(rsa, random_callback, nullptr, MBEDTLS_MD_SHA384,
                                         static_cast<unsigned>(digest->size()), digest->data(), 48,
                                         signature.data()) == 0,
         "PSS");
    return signature;
  }
};

RsaKey& ark_key(Product product) {
  static std::map<Product, RsaKey> keys;
  return keys[product];
}
RsaKey& ask_key() { static RsaKey key; return key; }
RsaKey& asvk_key() { static RsaKey key; return key; }

Der signed_by(RsaKey& key, const Der& content) {
  return der_element(der::kSequence,
                     {Bytes(content), Bytes(pss_algorithm()), Bytes(der_bits(Bytes(key.sign(content))))});
}

struct CertificateFields {
  uint64_t serial = 0;
  std::string issuer, subject;
  int64_t not_before = kSnpValidFrom, not_after = kSnpValidUntil;
  Der spki, extensions;  // content of SEQUENCE OF Extension
};

Der certificate(RsaKey& key, const CertificateFields& fields) {
  Der version = der_element(der::constructed_context(0), {Bytes(der_integer(2))});
  Der validity = der_element(der::kSequence, {Bytes(der_time(fields.not_before)), Bytes(der_time(fields.not_after))});
  Der list = der_element(der::kSequence, {Bytes(fields.extensions)});
  return signed_by(key, der_element(der::kSequence, {Bytes(version), Bytes(der_integer(fields.serial)),
                                                     Bytes(pss_algorithm()), Bytes(name(fields.issuer)),
                                                     Bytes(validity), Bytes(name(fields.subject)), Bytes(fields.spki),
                                                     Bytes(der_element(der::constructed_context(3), {Bytes(list)}))}));
}

void append(Der* to, const Der& what) { to->insert(to->end(), what.begin(), what.end()); }

Der ca_extensions(bool root, const std::string& crl_url) {
  const uint8_t yes[] = {der::kBoolean, 1, 0xff};
  const uint8_t usage[] = {der::kBitString, 2, 1, static_cast<uint8_t>(root ? 0x06 : 0x04)};
  Der out = der_extension("2.5.29.19", true,
                          der_element(der::kSequence, {Bytes(yes, 3), Bytes(root ? Der() : der_integer(0))}));
  append(&out, der_extension("2.5.29.15", true, Bytes(usage, sizeof(usage))));
  Der url = der_element(der::context(6), {Bytes(crl_url)});
  Der point = der_element(der::constructed_context(0), {Bytes(der_element(der::constructed_context(0), {Bytes(url)}))});
  append(&out, der_extension("2.5.29.31", false,
                             der_element(der::kSequence, {Bytes(der_element(der::kSequence, {Bytes(point)}))})));
  return out;
}

SnpAuthority make_authority(Product product) {
  std::string line = snp::product_name(product);
  std::string vcek_crl = "https://kdsintf.amd.com/vcek/v1/" + line + "/crl";
  CertificateFields fields;
  fields.serial = 0x20000;
  fields.issuer = fields.subject = "ARK-" + line;
  fields.spki = ark_key(product).spki;
  fields.extensions = ca_extensions(true, vcek_crl);
  SnpAuthority out{product, certificate(ark_key(product), fields), {}, {}};
  fields.serial = SnpAuthority::kAskSerial;
  fields.subject = "SEV-" + line;
  fields.spki = ask_key().spki;
  fields.extensions = ca_extensions(false, vcek_crl);
  out.ask = certificate(ark_key(product), fields);
  fields.serial = SnpAuthority::kAsvkSerial;
  fields.subject = "SEV-VLEK-" + line;
  fields.spki = asvk_key().spki;
  fields.extensions = ca_extensions(false, "https://kdsintf.amd.com/vlek/v1/" + line + "/crl");
  out.asvk = certificate(ark_key(product), fields);
  return out;
}

// --- P-384 keys of chips -------------------------------------------------------------------------------------------
struct Curve {
  mbedtls_ecp_group group;
  Curve() {
    mbedtls_ecp_group_init(&group);
    need(mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP384R1) == 0, "P-384");
  }
  Curve(const Curve&) = delete;
  Curve& operator=(const Curve&) = delete;
  ~Curve() { mbedtls_ecp_group_free(&group); }
};

Der make_chip_key(std::array<uint8_t, 48>* scalar) {
  need(crypto_start().ok(), "crypto");
  Curve curve;
  mbedtls_mpi d;
  mbedtls_ecp_point q;
  mbedtls_mpi_init(&d);
  mbedtls_ecp_point_init(&q);
  Der point(97);
  size_t size = 0;
  need(mbedtls_ecp_gen_keypair(&curve.group, &d, &q, random_callback, nullptr) == 0 &&
           mbedtls_mpi_write_binary(&d, scalar->data(), scalar->size()) == 0 &&
           mbedtls_ecp_point_write_binary(&curve.group, &q, MBEDTLS_ECP_PF_UNCOMPRESSED, &size, point.data(),
                                          point.size()) == 0,
       "chip key");
  mbedtls_ecp_point_free(&q);
  mbedtls_mpi_free(&d);
  Der algorithm = der_element(der::kSequence, {Bytes(der_oid("1.2.840.10045.2.1")), Bytes(der_oid("1.3.132.0.34"))});
  return der_element(der::kSequence, {Bytes(algorithm), Bytes(der_bits(Bytes(point)))});
}

constexpr const char* kAmd = "1.3.6.1.4.1.3704.1.";

Der leaf_certificate(const SnpLeaf& leaf, const Der& spki) {
  Der extensions;
  auto add = [&](const std::string& oid, const Der& value) {
    if (oid != leaf.leave_out) append(&extensions, der_extension(kAmd + oid, false, Bytes(value)));
  };
  auto ia5 = [](const std::string& text) { return der_element(0x16, {Bytes(text)}); };
  add("1", der_integer(0));
  add("2", ia5(leaf.product_name));
  add("3.1", der_integer(leaf.tcb.bootloader));
  add("3.2", der_integer(leaf.tcb.tee));
  for (size_t i = 0; i < 4; ++i) add("3." + std::to_string(4 + i), der_integer(leaf.reserved[i]));
  add("3.3", der_integer(leaf.tcb.snp));
  add("3.8", der_integer(leaf.tcb.microcode));
  if (leaf.fmc) add("3.9", der_integer(leaf.tcb.fmc));
  if (!leaf.hwid.empty()) add("4", leaf.hwid);
  if (!leaf.csp_id.empty()) add("5", ia5(leaf.csp_id));
  CertificateFields fields;
  bool vlek = leaf.kind == Signer::vlek;
  fields.issuer = std::string(vlek ? "SEV-VLEK-" : "SEV-") + snp::product_name(leaf.issuer);
  fields.subject = leaf.subject;
  fields.not_before = leaf.not_before;
  fields.not_after = leaf.not_after;
  fields.spki = spki;
  fields.extensions = extensions;
  return certificate(vlek ? asvk_key() : ask_key(), fields);
}

void put_le(Der* out, size_t at, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) (*out)[at + i] = static_cast<uint8_t>(value >> 8 * i);
}

template <size_t N>
void put(Der* out, size_t at, const std::array<uint8_t, N>& value) {
  std::copy(value.begin(), value.end(), out->begin() + static_cast<ptrdiff_t>(at));
}
}  // namespace

const snp::ProductRoots& snp_test_roots() {
  static std::array<Digest32, snp::kProducts> hashes;
  static const snp::ProductRoots roots = [] {
    snp::ProductRoots out{};
    for (Product product : {Product::milan, Product::genoa, Product::turin}) {
      auto i = static_cast<size_t>(product);
      auto hash = certificate_spki_hash(SnpAuthority::of(product).ark);
      need(hash.ok(), "root");
      hashes[i] = *hash;
      out.of[i] = {&hashes[i], 1};
    }
    return out;
  }();
  return roots;
}

const SnpAuthority& SnpAuthority::of(Product product) {
  static std::map<Product, SnpAuthority> made;
  auto found = made.find(product);
  if (found == made.end()) found = made.emplace(product, make_authority(product)).first;
  return found->second;
}

Der SnpAuthority::crl(const std::vector<uint64_t>& serials, int64_t this_update, int64_t next_update) const {
  Der entries;
  for (uint64_t serial : serials)
    append(&entries, der_element(der::kSequence, {Bytes(der_integer(serial)), Bytes(der_time(this_update))}));
  Der revoked = entries.empty() ? Der() : der_element(der::kSequence, {Bytes(entries)});
  Der number = der_element(der::kSequence, {Bytes(der_extension("2.5.29.20", false, der_integer(1)))});
  return signed_by(
      ark_key(product),
      der_element(der::kSequence, {Bytes(der_integer(1)), Bytes(pss_algorithm()),
                                   Bytes(name(std::string("ARK-") + snp::product_name(product))),
                                   Bytes(der_time(this_update)), Bytes(der_time(next_update)), Bytes(revoked),
                                   Bytes(der_element(der::constructed_context(0), {Bytes(number)}))}));
}

Der SnpAuthority::collateral(int64_t this_update, int64_t next_update) const {
  Der list = crl({}, this_update, next_update);
  Der out(list.size() + 64);
  auto encoded = snp::Collateral{Bytes(list), {}}.encode(out);
  need(encoded.ok(), "collateral");
  return encoded->copy();
}

std::string SnpAuthority::chain_pem(Signer kind) const {
  return to_pem(kind == Signer::vlek ? asvk : ask, "CERTIFICATE") + to_pem(ark, "CERTIFICATE");
}

SnpLeaf::SnpLeaf(Product of_product, Signer of_kind)
    : kind(of_kind), issuer(of_product), fmc(of_product == Product::turin) {
  bool vlek = kind == Signer::vlek;
  product_name = std::string(snp::product_name(of_product)) + (vlek ? "" : "-B1");
  subject = vlek ? "SEV-VLEK" : "SEV-VCEK";
  tcb = {static_cast<uint8_t>(fmc ? 1 : 0), 4, 1, 22, 213};
  if (vlek) {
    csp_id = "Example Cloud";
  } else {
    hwid.resize(of_product == Product::turin ? snp::kTurinHwid : 64);
    need(random_bytes(hwid).ok(), "random");
  }
}

SnpChip::SnpChip(Product product, Signer kind) : SnpChip(SnpLeaf(product, kind)) {}

SnpChip::SnpChip(const SnpLeaf& leaf) : leaf_(leaf) {
  Der spki = make_chip_key(&scalar_);
  const SnpAuthority& amd = SnpAuthority::of(leaf.issuer);
  certificates_ = {leaf_certificate(leaf, spki), leaf.kind == Signer::vlek ? amd.asvk : amd.ask, amd.ark};
}

std::string SnpChip::reference_json(const snp::Report& report) const {
  snp::Reference reference;
  reference.roots = {*snp_test_roots().of[static_cast<size_t>(leaf_.issuer)].hashes};
  reference.measurements = {report.measurement};
  return reference.to_json().dump();
}

snp::Report SnpChip::report() const {
  snp::Report report;
  report.version = 3;
  report.policy.raw = 0x30000;
  report.platform.raw = 0x25;
  report.signing_key = leaf_.kind;
  report.cpuid_family = leaf_.issuer == Product::turin ? 0x1a : 0x19;
  report.cpuid_model = leaf_.issuer == Product::turin ? 2 : leaf_.issuer == Product::genoa ? 0x11 : 1;
  report.cpuid_stepping = 1;
  report.current_tcb = report.reported_tcb = report.committed_tcb = report.launch_tcb = leaf_.tcb.raw(leaf_.issuer);
  std::copy(leaf_.hwid.begin(), leaf_.hwid.end(), report.chip_id.begin());
  if (leaf_.kind == Signer::vlek) report.chip_id.fill(0xc5);
  report.current = report.committed = {1, 55, 1};
  report.measurement.fill(0xab);
  report.report_id.fill(0x1d);
  report.report_id_ma.fill(0xff);
  return report;
}

Der SnpChip::encode(const snp::Report& report) {
  Der out(snp::kReportSize);
  put_le(&out, 0x00, report.version, 4);
  put_le(&out, 0x04, report.guest_svn, 4);
  put_le(&out, 0x08, report.policy.raw, 8);
  put(&out, 0x10, report.family_id);
  put(&out, 0x20, report.image_id);
  put_le(&out, 0x30, report.vmpl, 4);
  put_le(&out, 0x34, 1, 4);
  put_le(&out, 0x38, report.current_tcb, 8);
  put_le(&out, 0x40, report.platform.raw, 8);
  put_le(&out, 0x48,
         (report.author_key ? 1u : 0u) | (report.chip_key_masked ? 2u : 0u) |
             static_cast<uint32_t>(report.signing_key) << 2,
         4);
  put(&out, 0x50, report.report_data);
  put(&out, 0x90, report.measurement);
  put(&out, 0xc0, report.host_data);
  put(&out, 0xe0, report.id_key_digest);
  put(&out, 0x110, report.author_key_digest);
  put(&out, 0x140, report.report_id);
  put(&out, 0x160, report.report_id_ma);
  put_le(&out, 0x180, report.reported_tcb, 8);
  if (report.version >= 3) {
    out[0x188] = report.cpuid_family;
    out[0x189] = report.cpuid_model;
    out[0x18a] = report.cpuid_stepping;
  }
  put(&out, 0x1a0, report.chip_id);
  put_le(&out, 0x1e0, report.committed_tcb, 8);
  size_t at = 0x1e8;
  for (const snp::FirmwareVersion& firmware : {report.current, report.committed}) {
    out[at] = firmware.build;
    out[at + 1] = firmware.minor;
    out[at + 2] = firmware.major;
    at += 4;
  }
  put_le(&out, 0x1f0, report.launch_tcb, 8);
  if (report.version >= 5) {
    put_le(&out, 0x1f8, report.launch_mitigations, 8);
    put_le(&out, 0x200, report.current_mitigations, 8);
  }
  return out;
}

void SnpChip::sign_raw(Der* raw) const {
  auto digest = sha384({Bytes(*raw).first(snp::kReportSigned)});
  need(digest.ok(), "hash");
  Curve curve;
  mbedtls_mpi d, r, s;
  mbedtls_mpi_init(&d);
  mbedtls_mpi_init(&r);
  mbedtls_mpi_init(&s);
  uint8_t* at = raw->data() + snp::kReportSigned;
  need(
      mbedtls_mpi_read_binary(&d, scalar_.data(), scalar_.size()) == 0 &&
          mbedtls_ecdsa_sign(&curve.group, &r, &s, &d, digest->data(), digest->size(), random_callback, nullptr) == 0 &&
          mbedtls_mpi_write_binary_le(&r, at, 72) == 0 && mbedtls_mpi_write_binary_le(&s, at + 72, 72) == 0,
      "report signature");
  mbedtls_mpi_free(&s);
  mbedtls_mpi_free(&r);
  mbedtls_mpi_free(&d);
}

Der SnpChip::sign(const snp::Report& report) const {
  Der raw = encode(report);
  sign_raw(&raw);
  return raw;
}

std::vector<Bytes> views(const std::vector<Der>& owned) { return std::vector<Bytes>(owned.begin(), owned.end()); }

Der certificate_items(const std::vector<Der>& certificates) {
  Der out;
  for (const Der& der : certificates) {
    out.push_back(static_cast<uint8_t>(der.size() >> 8));
    out.push_back(static_cast<uint8_t>(der.size()));
    append(&out, der);
  }
  return out;
}

std::string to_pem(Bytes der, const char* label) {
  std::string body = to_base64(der);
  std::string out = std::string("-----BEGIN ") + label + "-----\n";
  for (size_t i = 0; i < body.size(); i += 64) out += body.substr(i, 64) + "\n";
  return out + "-----END " + label + "-----\n";
}

}  // namespace cstl::test
