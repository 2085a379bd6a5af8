#include "attest/snp/reference.h"

#include <algorithm>

#include "attest/reference_members.h"

namespace cstl::snp {

namespace {
using Json = nlohmann::json;
constexpr size_t kMaxProvider = 64;

// The members that are true or false, in one place for reading, writing and comparing.
struct PolicyFlag {
  const char* name;
  bool Reference::Policy::*value;
  bool may;                             // a permission, not a demand
  bool (GuestPolicy::*seen)() const;
};
constexpr PolicyFlag kPolicy[] = {
    {"debug", &Reference::Policy::debug, true, &GuestPolicy::debug},
    {"migration_agent", &Reference::Policy::migration_agent, true, &GuestPolicy::migration_agent},
    {"smt", &Reference::Policy::smt, true, &GuestPolicy::smt},
    {"cxl", &Reference::Policy::cxl, true, &GuestPolicy::cxl},
    {"single_socket", &Reference::Policy::single_socket, false, &GuestPolicy::single_socket},
    {"memory_aes_256_xts", &Reference::Policy::memory_aes_256_xts, false, &GuestPolicy::memory_aes_256_xts},
    {"rapl_disabled", &Reference::Policy::rapl_disabled, false, &GuestPolicy::rapl_disabled},
    {"ciphertext_hiding", &Reference::Policy::ciphertext_hiding, false, &GuestPolicy::ciphertext_hiding},
    {"page_swap_disabled", &Reference::Policy::page_swap_disabled, false, &GuestPolicy::page_swap_disabled},
};
struct PlatformFlag {
  const char* name;
  bool Reference::Platform::*value;
  bool may;
  bool (PlatformInfo::*seen)() const;
};
constexpr PlatformFlag kPlatform[] = {
    {"smt", &Reference::Platform::smt, true, &PlatformInfo::smt},
    {"ecc", &Reference::Platform::ecc, false, &PlatformInfo::ecc},
    {"tsme", &Reference::Platform::tsme, false, &PlatformInfo::tsme},
    {"alias_check", &Reference::Platform::alias_check, false, &PlatformInfo::alias_check},
    {"rapl_disabled", &Reference::Platform::rapl_disabled, false, &PlatformInfo::rapl_disabled},
    {"ciphertext_hiding", &Reference::Platform::ciphertext_hiding, false, &PlatformInfo::ciphertext_hiding},
};
struct Floor {
  const char* name;
  std::optional<Tcb> Reference::*value;
  Tcb (VerifiedReport::*seen)() const;
};
constexpr Floor kFloors[] = {
    {"current", &Reference::current, &VerifiedReport::current_tcb},
    {"reported", &Reference::reported, &VerifiedReport::reported_tcb},
    {"committed", &Reference::committed, &VerifiedReport::committed_tcb},
    {"launch", &Reference::launch, &VerifiedReport::launch_tcb},
};
struct Level {
  const char* name;
  uint8_t Tcb::*value;
};
constexpr Level kLevels[] = {{"fmc", &Tcb::fmc}, {"bootloader", &Tcb::bootloader}, {"tee", &Tcb::tee},
                             {"snp", &Tcb::snp}, {"microcode", &Tcb::microcode}};

// --- JSON ----------------------------------------------------------------------------------------------------------
Status product_item(const std::string& text, Product* value) {
  *value = product_from(text);
  return *value != Product::unknown && text == product_name(*value) ? success()
                                                                    : Status(fail(Code::bad_value, "product"));
}

Status provider_item(const std::string& text, std::string* value) {
  *value = text;
  bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  return plain && !text.empty() && text.size() <= kMaxProvider ? success() : Status(fail(Code::bad_value, "provider"));
}

Status read_tcb(const Json& tcb, std::string* problem, Reference* out) {
  JsonObject object(tcb, Code::reference_malformed, "snp.tcb.", problem);
  TRY(object.members({"current", "reported", "committed", "launch"}));
  for (const Floor& floor : kFloors) {
    if (!object.has(floor.name)) continue;
    TRY_LET(const Json* member, object.member(floor.name));
    JsonObject levels(*member, Code::reference_malformed, "snp.tcb: ", problem);
    TRY(levels.members({"fmc", "bootloader", "tee", "snp", "microcode"}));
    Tcb value;
    for (const Level& level : kLevels) {
      TRY_LET(int64_t number, levels.number(level.name, 0, 0, UINT8_MAX));
      value.*level.value = static_cast<uint8_t>(number);
    }
    out->*floor.value = value;
  }
  return success();
}

// "1.55"
Status read_abi(const JsonObject& object, Reference::Policy* out) {
  TRY_LET(std::string_view text, object.optional_text("abi", 7));
  if (text.empty()) return success();
  unsigned parts[2] = {0, 0};
  size_t part = 0, digits = 0;
  for (char c : text) {
    if (c == '.' && part == 0 && digits > 0) {
      part = 1;
      digits = 0;
      continue;
    }
    if (c < '0' || c > '9' || ++digits > 3) return object.wrong("abi", "is not a version like 1.55");
    parts[part] = parts[part] * 10 + static_cast<unsigned>(c - '0');
  }
  if (part != 1 || digits == 0 || parts[0] > UINT8_MAX || parts[1] > UINT8_MAX)
    return object.wrong("abi", "is not a version like 1.55");
  out->abi_major = static_cast<uint8_t>(parts[0]);
  out->abi_minor = static_cast<uint8_t>(parts[1]);
  return success();
}

Status read_policy(const Json& value, std::string* problem, Reference::Policy* out) {
  JsonObject object(value, Code::reference_malformed, "snp.policy.", problem);
  TRY(object.members({"debug", "migration_agent", "smt", "cxl", "single_socket", "memory_aes_256_xts", "rapl_disabled",
                      "ciphertext_hiding", "page_swap_disabled", "abi"}));
  for (const PolicyFlag& flag : kPolicy) TRY(read_bool(object, flag.name, &(out->*flag.value)));
  return read_abi(object, out);
}

Status read_platform(const Json& value, std::string* problem, Reference::Platform* out) {
  JsonObject object(value, Code::reference_malformed, "snp.platform.", problem);
  TRY(object.members({"smt", "ecc", "tsme", "alias_check", "rapl_disabled", "ciphertext_hiding"}));
  for (const PlatformFlag& flag : kPlatform) TRY(read_bool(object, flag.name, &(out->*flag.value)));
  return success();
}

std::string abi_text(const Reference::Policy& policy) {
  return std::to_string(policy.abi_major) + "." + std::to_string(policy.abi_minor);
}

// --- Comparison ----------------------------------------------------------------------------------------------------
class Comparison {
 public:
  explicit Comparison(std::vector<Claim>& claims) : claims_(claims) {}

  void add(bool passed, Code code, std::string name, std::string expected, std::string seen, const char* why) {
    Claim claim;
    claim.name = std::move(name);
    claim.result = passed ? ClaimResult::passed : ClaimResult::failed;
    claim.expected = std::move(expected);
    claim.seen = std::move(seen);
    if (!passed) claim.why = why;
    claims_.push_back(std::move(claim));
    if (!passed && code_ == Code::ok) code_ = code;
  }

  template <typename T>
  void one_of(const std::vector<T>& list, const T& seen, Code code, const char* name, const char* why) {
    if (list.empty()) return;
    bool found = std::find(list.begin(), list.end(), seen) != list.end();
    std::string expected = found || list.size() == 1 ? to_hex(found ? seen : list[0])
                                                     : "one of " + std::to_string(list.size()) + " values";
    add(found, code, name, std::move(expected), to_hex(seen), why);
  }

  Code code() const { return code_; }

 private:
  std::vector<Claim>& claims_;
  Code code_ = Code::ok;
};

void compare_hardware(const VerifiedReport& report, const Reference& reference, Comparison& out) {
  if (!reference.products.empty()) {
    bool found =
        std::find(reference.products.begin(), reference.products.end(), report.product()) != reference.products.end();
    std::string expected;
    for (Product product : reference.products)
      expected += (expected.empty() ? "" : " or ") + std::string(product_name(product));
    out.add(found, Code::snp_product, "snp.product", expected, product_name(report.product()),
            "the processor is another");
  }
  for (const Floor& floor : kFloors) {
    const std::optional<Tcb>& least = reference.*floor.value;
    if (!least) continue;
    Tcb seen = (report.*floor.seen)();
    out.add(seen.at_least(*least), Code::snp_tcb_low, std::string("snp.tcb.") + floor.name, "at least " + least->text(),
            seen.text(), "a component is below its floor");
  }
  if (!reference.chips.empty()) {
    bool found = report.chip_known() && std::find(reference.chips.begin(), reference.chips.end(), report.chip_id()) !=
                                            reference.chips.end();
    out.add(found, Code::snp_chip_refused, "snp.chip", "one of " + std::to_string(reference.chips.size()) + " chips",
            report.chip_known() ? to_hex(report.chip_id()) : "masked", "the chip is not on the list");
  }
  if (!reference.providers.empty()) {
    const std::string& seen = report.leaf().csp_id();
    bool found = std::find(reference.providers.begin(), reference.providers.end(), seen) != reference.providers.end();
    out.add(found, Code::snp_chip_refused, "snp.provider", reference.providers[0], seen.empty() ? "none" : seen,
            "the VLEK is another provider's, or none signed");
  }
}

void compare_configuration(const VerifiedReport& report, const Reference& reference, Comparison& out) {
  const GuestPolicy& policy = report.report().policy;
  for (const PolicyFlag& flag : kPolicy) {
    bool wanted = reference.policy.*flag.value, seen = (policy.*flag.seen)();
    if (wanted == flag.may) continue;  // allowed either way
    out.add(seen == wanted, Code::snp_policy, std::string("snp.policy.") + flag.name,
            wanted ? "demanded" : "not allowed",
            seen ? (flag.may ? "allowed" : "demanded") : (flag.may ? "not allowed" : "not demanded"),
            "the guest policy says otherwise");
  }
  if (reference.policy.abi_major != 0 || reference.policy.abi_minor != 0) {
    bool least = policy.abi_major() > reference.policy.abi_major ||
                 (policy.abi_major() == reference.policy.abi_major && policy.abi_minor() >= reference.policy.abi_minor);
    out.add(least, Code::snp_policy, "snp.policy.abi", "at least " + abi_text(reference.policy),
            std::to_string(policy.abi_major()) + "." + std::to_string(policy.abi_minor()),
            "the guest policy lets older firmware run it");
  }
  const PlatformInfo& platform = report.report().platform;
  for (const PlatformFlag& flag : kPlatform) {
    bool wanted = reference.platform.*flag.value, seen = (platform.*flag.seen)();
    if (wanted == flag.may) continue;
    out.add(seen == wanted, Code::snp_policy, std::string("snp.platform.") + flag.name, wanted ? "on" : "off",
            seen ? "on" : "off", "the host is configured otherwise");
  }
  uint32_t vmpl = report.report().vmpl;
  out.add(vmpl <= reference.vmpl, Code::snp_vmpl, "snp.vmpl", "at most " + std::to_string(reference.vmpl),
          std::to_string(vmpl), "less privileged software made the report");
}

void compare_launch(const VerifiedReport& verified, const Reference& reference, Comparison& out) {
  const Report& report = verified.report();
  constexpr Code kIdentity = Code::snp_launch_identity;
  out.one_of(reference.host_data, report.host_data, kIdentity, "snp.host_data", "the host gave other data at launch");
  out.one_of(reference.family_ids, report.family_id, kIdentity, "snp.family_id", "another family was launched");
  out.one_of(reference.image_ids, report.image_id, kIdentity, "snp.image_id", "another image was launched");
  out.one_of(reference.id_keys, report.id_key_digest, kIdentity, "snp.id_key", "another key signed the launch");
  if (!reference.author_keys.empty() && !report.author_key) {
    out.add(false, kIdentity, "snp.author_key", to_hex(reference.author_keys[0]), "none",
            "no author key signed the ID key");
  } else {
    out.one_of(reference.author_keys, report.author_key_digest, kIdentity, "snp.author_key",
               "another author signed the ID key");
  }
  if (reference.guest_svn != 0) {
    out.add(report.guest_svn >= reference.guest_svn, kIdentity, "snp.guest_svn",
            "at least " + std::to_string(reference.guest_svn), std::to_string(report.guest_svn),
            "the guest is too old");
  }
}
}  // namespace

Result<Reference> Reference::from_json(const Json& value, std::string* problem) {
  Reference out;
  JsonObject object(value, Code::reference_malformed, "snp.", problem);
  TRY(object.members({"roots", "crl", "products", "measurements", "tcb", "policy", "platform", "vmpl", "guest_svn",
                      "host_data", "family_ids", "image_ids", "id_keys", "author_keys", "chips", "providers"}));
  TRY(read_list(object, "roots", kMaxExpected, &out.roots));
  if (object.has("crl")) {
    TRY(object.literal("crl", "required"));
    out.crl_required = true;
  }
  TRY(read_list(object, "products", kProducts, &out.products, product_item));
  TRY(read_list(object, "measurements", kMaxExpected, &out.measurements));
  if (object.has("tcb")) TRY(read_tcb(**object.member("tcb"), problem, &out));
  if (object.has("policy")) TRY(read_policy(**object.member("policy"), problem, &out.policy));
  if (object.has("platform")) TRY(read_platform(**object.member("platform"), problem, &out.platform));
  TRY_LET(int64_t vmpl, object.number("vmpl", 0, 0, 3));
  out.vmpl = static_cast<uint8_t>(vmpl);
  TRY_LET(int64_t guest_svn, object.number("guest_svn", 0, 0, UINT32_MAX));
  out.guest_svn = static_cast<uint32_t>(guest_svn);
  TRY(read_list(object, "host_data", kMaxExpected, &out.host_data));
  TRY(read_list(object, "family_ids", kMaxExpected, &out.family_ids));
  TRY(read_list(object, "image_ids", kMaxExpected, &out.image_ids));
  TRY(read_list(object, "id_keys", kMaxExpected, &out.id_keys));
  TRY(read_list(object, "author_keys", kMaxExpected, &out.author_keys));
  TRY(read_list(object, "chips", kMaxChips, &out.chips));
  TRY(read_list(object, "providers", kMaxExpected, &out.providers, provider_item));
  return out;
}

Json Reference::to_json() const {
  Json out = Json::object();
  write_list(&out, "roots", roots);
  if (crl_required) out["crl"] = "required";
  for (Product product : products) out["products"].push_back(product_name(product));
  write_list(&out, "measurements", measurements);
  for (const Floor& floor : kFloors) {
    const std::optional<Tcb>& least = this->*floor.value;
    if (!least) continue;
    Json levels = Json::object();
    for (const Level& level : kLevels) {
      if ((*least).*level.value != 0) levels[level.name] = (*least).*level.value;
    }
    out["tcb"][floor.name] = std::move(levels);
  }
  const Reference fresh;
  for (const PolicyFlag& flag : kPolicy) {
    if (policy.*flag.value != fresh.policy.*flag.value) out["policy"][flag.name] = policy.*flag.value;
  }
  if (policy.abi_major != 0 || policy.abi_minor != 0) out["policy"]["abi"] = abi_text(policy);
  for (const PlatformFlag& flag : kPlatform) {
    if (platform.*flag.value != fresh.platform.*flag.value) out["platform"][flag.name] = platform.*flag.value;
  }
  if (vmpl != 0) out["vmpl"] = vmpl;
  if (guest_svn != 0) out["guest_svn"] = guest_svn;
  write_list(&out, "host_data", host_data);
  write_list(&out, "family_ids", family_ids);
  write_list(&out, "image_ids", image_ids);
  write_list(&out, "id_keys", id_keys);
  write_list(&out, "author_keys", author_keys);
  write_list(&out, "chips", chips);
  for (const std::string& provider : providers) out["providers"].push_back(provider);
  return out;
}

Reference Reference::own(const VerifiedReport& verified) {
  const Report& report = verified.report();
  Reference out;
  out.products = {verified.product()};  // the levels of others do not compare
  out.measurements = {report.measurement};
  out.launch = verified.launch_tcb();
  out.policy.debug = report.policy.debug();
  out.policy.migration_agent = report.policy.migration_agent();
  out.vmpl = static_cast<uint8_t>(report.vmpl);
  out.guest_svn = report.guest_svn;
  auto any = [](Bytes digest) {
    return std::any_of(digest.begin(), digest.end(), [](uint8_t byte) { return byte != 0; });
  };
  if (any(report.id_key_digest)) out.id_keys = {report.id_key_digest};
  if (report.author_key) out.author_keys = {report.author_key_digest};
  return out;
}

VerifyPolicy Reference::verify_policy(int64_t now) const {
  VerifyPolicy out;
  out.now = now;
  out.crl_required = crl_required;
  if (!roots.empty()) {
    for (Roots& product : out.roots.of) product = {roots.data(), roots.size()};
  }
  return out;
}

Code appraise(const VerifiedReport& report, const Reference& reference, std::vector<Claim>& claims) {
  Comparison out(claims);
  out.one_of(reference.measurements, report.report().measurement, Code::snp_measurement, "snp.measurement",
             "other firmware, kernel, initrd, command line or processors were launched");
  compare_hardware(report, reference, out);
  compare_configuration(report, reference, out);
  compare_launch(report, reference, out);
  return out.code();
}

void facts_of(const VerifiedReport& verified, std::vector<Fact>& facts) {
  const Report& report = verified.report();
  auto add = [&](const char* name, std::string value) { facts.push_back({name, std::move(value)}); };
  auto version = [](const FirmwareVersion& v) {
    return std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.build);
  };
  add("snp.product", product_name(verified.product()));
  add("snp.report_version", std::to_string(report.version));
  add("snp.signing_key", signer_name(report.signing_key));
  if (!verified.leaf().csp_id().empty()) add("snp.provider", verified.leaf().csp_id());
  add("snp.chip_id", verified.chip_known() ? to_hex(verified.chip_id()) : "masked");
  add("snp.measurement", to_hex(report.measurement));
  add("snp.host_data", to_hex(report.host_data));
  for (const Floor& floor : kFloors)
    add((std::string("snp.tcb.") + floor.name).c_str(), (verified.*floor.seen)().text());
  add("snp.firmware", version(report.current));
  add("snp.firmware.committed", version(report.committed));
  add("snp.policy", report.policy.text());
  add("snp.platform", report.platform.text());
  add("snp.vmpl", std::to_string(report.vmpl));
  add("snp.guest_svn", std::to_string(report.guest_svn));
  add("snp.crl", verified.leaf().crl_checked() ? "checked" : "none");
}

}  // namespace cstl::snp
