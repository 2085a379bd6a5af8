#include "attest/azure/runtime_data.h"

#include "attest/evidence.h"
#include "attest/platform/base64url.h"
#include "crypto/base/json.h"

namespace cstl::azure {

namespace {
using Json = nlohmann::json;
constexpr size_t kMaxModulus = 512;
constexpr size_t kMaxVmId = 64;

Error refuse(const char* site) { return fail(Code::runtime_data_malformed, site); }

const std::string* text_of(const Json& object, const char* name) {
  auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get_ptr<const std::string*>() : nullptr;
}

Result<std::vector<uint8_t>> number_of(const Json& key, const char* name, size_t max) {
  const std::string* text = text_of(key, name);
  if (text == nullptr) return refuse("runtime_data.number");
  Result<std::vector<uint8_t>> bytes = from_base64url(*text, max);
  if (!bytes.ok() || bytes->empty() || bytes->front() == 0) return refuse("runtime_data.number");
  return bytes;
}

Status read_key(const Json& key, RuntimeData& out) {
  const std::string* type = text_of(key, "kty");
  if (type == nullptr || *type != "RSA") return refuse("runtime_data.kty");
  TRY_LET(out.modulus, number_of(key, "n", kMaxModulus));
  TRY_LET(std::vector<uint8_t> exponent, number_of(key, "e", 4));
  for (uint8_t byte : exponent) out.exponent = out.exponent << 8 | byte;
  return success();
}
}  // namespace

Result<RuntimeData> RuntimeData::parse(Bytes json) {
  Result<Json> parsed = parse_json(json.text(), kMaxRuntimeData, 8);
  if (!parsed.ok() || !parsed->is_object()) return refuse("runtime_data.json");
  auto keys = parsed->find("keys");
  if (keys == parsed->end() || !keys->is_array()) return refuse("runtime_data.keys");
  RuntimeData out;
  for (const Json& key : *keys) {
    if (!key.is_object()) return refuse("runtime_data.key");
    const std::string* id = text_of(key, "kid");
    if (id == nullptr || *id != "HCLAkPub") continue;
    if (!out.modulus.empty()) return refuse("runtime_data.ak_twice");
    TRY(read_key(key, out));
  }
  if (out.modulus.empty()) return refuse("runtime_data.ak");
  auto vm = parsed->find("vm-configuration");
  if (vm == parsed->end() || !vm->is_object()) return out;
  if (const std::string* id = text_of(*vm, "vmUniqueId"); id != nullptr && id->size() <= kMaxVmId) {
    bool plain = true;
    for (char c : *id) plain = plain && c > 0x20 && c < 0x7f;
    if (plain) out.vm_id = *id;
  }
  auto secure = vm->find("secure-boot");
  out.secure_boot = secure != vm->end() && secure->is_boolean() && secure->get<bool>();
  return out;
}

Status check_ak(const RuntimeData& data, const tpm::Public& ak) {
  if (ak.type != tpm::kAlgRsa || ak.rsa_exponent != data.exponent || !equal(ak.rsa_modulus, data.modulus)) {
    return fail(Code::ak_mismatch, "azure.ak");
  }
  return success();
}

}  // namespace cstl::azure
