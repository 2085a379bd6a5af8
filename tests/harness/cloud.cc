#include "tests/harness/cloud.h"

#include <mbedtls/ecdsa.h>

#include <cstdio>
#include <cstdlib>

#include "attest/azure/hcl.h"
#include "attest/azure/issue.h"
#include "attest/platform/base64url.h"
#include "crypto/base/fd.h"

namespace cstl::test {

namespace {
[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "cloud: %s\n", what.c_str());
  std::abort();
}

template <typename T>
T need(Result<T> result, const char* what) {
  if (!result.ok()) give_up(std::string(what) + ": " + code_name(result.code()) + " at " + result.error().site);
  return std::move(*result);
}

void append(Der& to, Bytes what) { to.insert(to.end(), what.begin(), what.end()); }

Der sequence(std::initializer_list<Bytes> parts) { return der_element(der::kSequence, parts); }

Der name_of_subject(const std::string& common) {
  Der pair = sequence({Bytes(der_oid("2.5.4.3")), Bytes(der_element(der::kUtf8, {Bytes(common)}))});
  Der set = der_element(der::kSet, {Bytes(pair)});
  return sequence({Bytes(set)});
}

Der ecdsa_sha256() { return sequence({Bytes(der_oid("1.2.840.10045.4.3.2"))}); }

Der unsigned_integer(Bytes magnitude) {
  Der value;
  if (!magnitude.empty() && magnitude[0] >= 0x80) value.push_back(0);
  append(value, magnitude);
  return der_element(der::kInteger, {Bytes(value)});
}

Der point_spki(Bytes point, const char* curve) {
  Der algorithm = sequence({Bytes(der_oid("1.2.840.10045.2.1")), Bytes(der_oid(curve))});
  return sequence({Bytes(algorithm), Bytes(der_bits(point))});
}

Bytes trimmed(Bytes number) {
  while (number.size() > 1 && number[0] == 0) number = number.skip(1);
  return number;
}

Der sign_certificate(const SigningKey& key, const Der& content) {
  P256Signature raw = need(key.sign(need(sha256({content}), "hash")), "sign");
  Der r = unsigned_integer(trimmed(Bytes(raw).first(32))), s = unsigned_integer(trimmed(Bytes(raw).skip(32)));
  Der signature = sequence({Bytes(r), Bytes(s)});
  return sequence({Bytes(content), Bytes(ecdsa_sha256()), Bytes(der_bits(signature))});
}

Der certificate(const SigningKey& issuer_key, const std::string& issuer, const std::string& subject, Bytes spki,
                const Der& extensions, int64_t not_after) {
  static uint64_t serial = 1000;
  Der version = der_element(der::constructed_context(0), {Bytes(der_integer(2))});
  Der validity = sequence({Bytes(der_time(kCloudValidFrom)), Bytes(der_time(not_after))});
  Der list = sequence({Bytes(extensions)});
  Der tagged = der_element(der::constructed_context(3), {Bytes(list)});
  return sign_certificate(
      issuer_key, sequence({Bytes(version), Bytes(der_integer(++serial)), Bytes(ecdsa_sha256()), Bytes(name_of_subject(issuer)),
                            Bytes(validity), Bytes(name_of_subject(subject)), spki, Bytes(tagged)}));
}

void run_tool(Swtpm& tpm, std::vector<std::string> argv) {
  argv.insert(argv.begin() + 1, {"-T", tpm.device()});
  if (!run(argv, tpm.folder() + "/log")) give_up(argv[0] + " failed: see " + tpm.folder() + "/log");
}

std::string hex_handle(uint32_t handle) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", handle);
  return text;
}

// --- CBOR, as much as documents have ---------------------------------------------------------------------------------
void cbor_head(Der& out, uint8_t major, uint64_t value) {
  const uint8_t first = static_cast<uint8_t>(major << 5);
  if (value < 24) return out.push_back(static_cast<uint8_t>(first | value));
  const int bytes = value < 256 ? 1 : value < 65536 ? 2 : value < (uint64_t{1} << 32) ? 4 : 8;
  out.push_back(static_cast<uint8_t>(first | (bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27)));
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}
void cbor_bytes(Der& out, Bytes value) {
  cbor_head(out, 2, value.size());
  append(out, value);
}
void cbor_text(Der& out, std::string_view value) {
  cbor_head(out, 3, value.size());
  append(out, Bytes(value));
}

struct P384 {
  mbedtls_ecp_group group;
  P384() {
    mbedtls_ecp_group_init(&group);
    if (mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP384R1) != 0) give_up("P-384");
  }
  ~P384() { mbedtls_ecp_group_free(&group); }
};
}  // namespace

CloudAuthority::CloudAuthority(std::string name) : name_(std::move(name)), key_(need(SigningKey::generate(), "key")) {
  Der constraints = der_extension("2.5.29.19", true, sequence({Bytes(der_element(der::kBoolean, {Bytes(Der{0xff})}))}));
  Der usage = der_extension("2.5.29.15", true, der_element(der::kBitString, {Bytes(Der{1, 0x06})}));
  Der extensions = constraints;
  append(extensions, usage);
  root_ = certificate(key_, name_, name_, point_spki(key_.point(), "1.2.840.10045.3.1.7"), extensions, kCloudValidUntil);
}

Der CloudAuthority::issue(const std::string& subject, Bytes spki, const Der& more, int64_t not_after) const {
  Der extensions = der_extension("2.5.29.15", true, der_element(der::kBitString, {Bytes(Der{7, 0x80})}));
  append(extensions, more);
  return certificate(key_, name_, subject, spki, extensions, not_after);
}

Der spki_of(const tpm::Public& key) {
  if (key.type == tpm::kAlgRsa) {
    Der null = der_element(der::kNull, {});
    Der algorithm = sequence({Bytes(der_oid("1.2.840.113549.1.1.1")), Bytes(null)});
    Der rsa = sequence({Bytes(unsigned_integer(key.rsa_modulus)), Bytes(der_integer(key.rsa_exponent))});
    return sequence({Bytes(algorithm), Bytes(der_bits(rsa))});
  }
  P256Point point{0x04};
  std::memcpy(point.data() + 33 - key.ecc_x.size(), key.ecc_x.data(), key.ecc_x.size());
  std::memcpy(point.data() + 65 - key.ecc_y.size(), key.ecc_y.data(), key.ecc_y.size());
  return point_spki(point, "1.2.840.10045.3.1.7");
}

Der gce_instance(const std::string& zone, const std::string& project, uint64_t project_number, const std::string& name,
                 uint64_t id, bool production) {
  auto utf8 = [](const std::string& text) { return der_element(der::kUtf8, {Bytes(text)}); };
  Der version = der_element(der::constructed_context(0), {Bytes(der_integer(0))});
  Der flag = der_element(der::constructed_context(1), {Bytes(der_element(der::kBoolean, {Bytes(Der{static_cast<uint8_t>(production ? 0xff : 0)})}))});
  Der properties = sequence({Bytes(version), Bytes(flag)});
  return sequence({Bytes(utf8(zone)), Bytes(der_integer(project_number)), Bytes(utf8(project)), Bytes(der_integer(id)),
                   Bytes(utf8(name)), Bytes(der_element(der::constructed_context(0), {Bytes(properties)}))});
}

Der gce_extension(Bytes instance) { return der_extension("1.3.6.1.4.1.11129.2.1.21", false, instance); }

NitroHypervisor::NitroHypervisor(const CloudAuthority& authority) : root_(authority.root()) {
  P384 curve;
  mbedtls_mpi d;
  mbedtls_ecp_point q;
  mbedtls_mpi_init(&d);
  mbedtls_ecp_point_init(&q);
  std::array<uint8_t, 97> point;
  size_t size = 0;
  if (!crypto_start().ok() || mbedtls_ecp_gen_keypair(&curve.group, &d, &q, random_callback, nullptr) != 0 ||
      mbedtls_mpi_write_binary(&d, scalar_.data(), scalar_.size()) != 0 ||
      mbedtls_ecp_point_write_binary(&curve.group, &q, MBEDTLS_ECP_PF_UNCOMPRESSED, &size, point.data(), point.size()) != 0) {
    give_up("P-384 key");
  }
  mbedtls_ecp_point_free(&q);
  mbedtls_mpi_free(&d);
  certificate_ = authority.issue("i-0123456789abcdef0", point_spki(point, "1.3.132.0.34"));
}

std::vector<uint8_t> NitroHypervisor::document(const Facts& facts) const {
  Der payload;
  cbor_head(payload, 5, 9);
  cbor_text(payload, "module_id");
  cbor_text(payload, facts.module_id);
  cbor_text(payload, "digest");
  cbor_text(payload, facts.digest);
  cbor_text(payload, "timestamp");
  cbor_head(payload, 0, 1'800'000'000'000);
  cbor_text(payload, "nitrotpm_pcrs");
  unsigned count = 0;
  for (unsigned i = 0; i < kPcrCount; ++i) count += facts.pcr_mask >> i & 1;
  cbor_head(payload, 5, count);
  for (unsigned i = 0; i < kPcrCount; ++i) {
    if ((facts.pcr_mask >> i & 1) == 0) continue;
    cbor_head(payload, 0, i);
    cbor_bytes(payload, facts.pcrs[i]);
  }
  cbor_text(payload, "certificate");
  cbor_bytes(payload, certificate_);
  cbor_text(payload, "cabundle");
  cbor_head(payload, 4, 1);
  cbor_bytes(payload, root_);
  cbor_text(payload, "public_key");
  payload.push_back(0xf6);
  cbor_text(payload, "user_data");
  cbor_bytes(payload, facts.user_data);
  cbor_text(payload, "nonce");
  cbor_bytes(payload, facts.nonce);

  const Der header{0xa1, 0x01, 0x38, 0x22};
  Der to_sign{0x84};
  cbor_text(to_sign, "Signature1");
  cbor_bytes(to_sign, header);
  cbor_bytes(to_sign, Bytes());
  cbor_bytes(to_sign, payload);
  Digest48 digest = need(sha384({to_sign}), "hash");
  P384 curve;
  mbedtls_mpi d, r, s;
  for (mbedtls_mpi* number : {&d, &r, &s}) mbedtls_mpi_init(number);
  std::array<uint8_t, 96> signature;
  if (mbedtls_mpi_read_binary(&d, scalar_.data(), scalar_.size()) != 0 ||
      mbedtls_ecdsa_sign(&curve.group, &r, &s, &d, digest.data(), digest.size(), random_callback, nullptr) != 0 ||
      mbedtls_mpi_write_binary(&r, signature.data(), 48) != 0 || mbedtls_mpi_write_binary(&s, signature.data() + 48, 48) != 0) {
    give_up("document signature");
  }
  for (mbedtls_mpi* number : {&d, &r, &s}) mbedtls_mpi_free(number);
  if (facts.break_signature) signature[95] ^= 1;

  Der out;
  cbor_head(out, 4, 4);
  cbor_bytes(out, header);
  cbor_head(out, 5, 0);
  cbor_bytes(out, payload);
  cbor_bytes(out, signature);
  return out;
}

void make_azure_ak(Swtpm& tpm) {
  const std::string context = tpm.folder() + "/azure-ak.ctx";
  run_tool(tpm, {"tpm2_createprimary", "-C", "e", "-G", "rsa2048:rsassa-sha256:null", "-a",
                 "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign", "-c", context});
  run_tool(tpm, {"tpm2_evictcontrol", "-C", "o", "-c", context, hex_handle(azure::kAkHandle)});
  run_tool(tpm, {"tpm2_flushcontext", "-t"});
}

std::string azure_runtime_data(const tpm::Public& ak, const std::string& vm_id) {
  const std::array<uint8_t, 3> exponent{0x01, 0x00, 0x01};
  return "{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\",\"e\":\"" + to_base64url(exponent) +
         "\",\"n\":\"" + to_base64url(ak.rsa_modulus) +
         "\"},{\"kid\":\"HCLEkPub\",\"key_ops\":[\"encrypt\"],\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQ\"}]," +
         "\"vm-configuration\":{\"console-enabled\":true,\"secure-boot\":true,\"tpm-enabled\":true,\"vmUniqueId\":\"" + vm_id +
         "\"},\"user-data\":\"00\"}";
}

std::vector<uint8_t> hcl_report(uint32_t kind, Bytes report, Bytes runtime_data) {
  std::vector<uint8_t> out;
  auto u32 = [&out](size_t value) {
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  append(out, Bytes("HCLA"));
  u32(2);
  u32(20 + azure::kHclReport + runtime_data.size());
  u32(2);
  for (int i = 0; i < 4; ++i) u32(0);
  append(out, report);
  out.resize(32 + azure::kHclReport);
  u32(20 + runtime_data.size());
  u32(1);
  u32(kind);
  u32(1);
  u32(runtime_data.size());
  append(out, runtime_data);
  return out;
}

void make_gce_template(Swtpm& tpm) {
  // TPMT_PUBLIC: ECC P-256, restricted signing, ECDSA with SHA-256, an empty point.
  const std::vector<uint8_t> area{0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x04, 0x72, 0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00,
                                  0x0b, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00};
  write_nv(tpm, 0x01c10003, area);
}

void write_nv(Swtpm& tpm, uint32_t index, Bytes data) {
  const std::string file = tpm.folder() + "/nv", handle = hex_handle(index);
  if (!write_file_durably(file.c_str(), data).ok()) give_up("nv file");
  (void)run({"tpm2_nvundefine", "-T", tpm.device(), handle, "-C", "p"}, tpm.folder() + "/log");  // there may be none
  run_tool(tpm, {"tpm2_nvdefine", handle, "-C", "p", "-s", std::to_string(data.size()), "-a",
                 "ppwrite|ppread|ownerread|authread|platformcreate|no_da"});
  run_tool(tpm, {"tpm2_nvwrite", handle, "-C", "p", "-i", file});
}

MeasuredLog::MeasuredLog() {
  // TCG_PCR_EVENT of type EV_NO_ACTION with TCG_EfiSpecIDEvent: one algorithm, SHA-256.
  const std::vector<uint8_t> spec{'S', 'p', 'e', 'c', ' ', 'I', 'D', ' ', 'E', 'v', 'e', 'n', 't', '0', '3', 0,
                                  0,   0,   0,   0,   0,   2,   0,   2,   1,   0,   0,   0,   0x0b, 0, 32, 0, 0};
  auto u32 = [this](size_t value) {
    for (int i = 0; i < 4; ++i) bytes_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  u32(0);
  u32(3);
  bytes_.resize(bytes_.size() + 20);
  u32(spec.size());
  append(bytes_, spec);
}

void MeasuredLog::measure(tpm::Device& device, uint32_t pcr, uint32_t type, Bytes data) {
  if (!device.pcr_event(pcr, data).ok()) give_up("pcr_event");
  auto u32 = [this](size_t value) {
    for (int i = 0; i < 4; ++i) bytes_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  u32(pcr);
  u32(type);
  u32(1);
  bytes_.insert(bytes_.end(), {0x0b, 0x00});
  append(bytes_, need(sha256({data}), "hash"));
  u32(data.size());
  append(bytes_, data);
}

}  // namespace cstl::test
