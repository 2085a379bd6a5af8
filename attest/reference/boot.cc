#include "attest/reference/boot.h"

namespace cstl {

namespace {
constexpr size_t kMaxFact = 256;

class Facts {
 public:
  explicit Facts(std::vector<Fact>& facts) : facts_(facts) {}

  void add(std::string name, std::string value) {
    if (value.empty() || added_ == kMaxBootFacts) return;
    if (value.size() > kMaxFact) value = value.substr(0, kMaxFact - 3) + "...";
    facts_.push_back({"boot." + std::move(name), std::move(value)});
    ++added_;
  }

  void add_keys(const std::string& name, const tpm::KeyDatabase& keys) {
    if (!keys.present) return;
    size_t index = 0;
    for (const tpm::BootCertificate& certificate : keys.certificates) {
      add(name + "." + std::to_string(index++), describe(certificate));
    }
    if (keys.hashes > 0) add(name + ".hashes", std::to_string(keys.hashes));
    if (keys.others > 0) add(name + ".others", std::to_string(keys.others));
    if (keys.certificates.empty() && keys.hashes + keys.others == 0) add(name, "empty");
  }

  static std::string describe(const tpm::BootCertificate& certificate) {
    return certificate.subject + " sha256:" + to_hex(certificate.fingerprint);
  }

 private:
  std::vector<Fact>& facts_;
  size_t added_ = 0;
};
}  // namespace

void add_boot_facts(const tpm::BootState& boot, std::vector<Fact>& facts) {
  Facts out(facts);
  out.add("firmware", boot.firmware);
  out.add("technology", boot.technology);
  out.add("secure_boot", tpm::secure_boot_name(boot.secure_boot));
  out.add("secure_boot.why", boot.secure_boot_why);
  if (boot.debugger) out.add("debugger", "active");
  if (boot.dma_protection_disabled) out.add("dma_protection", "disabled");
  out.add_keys("pk", boot.pk);
  out.add_keys("kek", boot.kek);
  out.add_keys("db", boot.db);
  out.add_keys("dbx", boot.dbx);
  for (size_t i = 0; i < boot.authorities.size(); ++i) {
    const tpm::Authority& authority = boot.authorities[i];
    out.add("authority." + std::to_string(i), authority.source + ": " + Facts::describe(authority.certificate));
  }
  out.add("sbat_level", boot.sbat_level);
  out.add("loader.claimed", boot.boot_loader);
  out.add("option", boot.boot_option);
  for (size_t i = 0; i < boot.images.size(); ++i) {
    std::string number = "image." + std::to_string(i);
    out.add(number, boot.images[i].digest);
    out.add(number + ".claimed", boot.images[i].file.empty() ? boot.images[i].path : boot.images[i].file);
  }
  std::string sections;
  for (const std::string& section : boot.uki_sections) sections += (sections.empty() ? "" : " ") + section;
  out.add("sections.claimed", sections);
  out.add(boot.command_line_measured ? "command_line" : "command_line.claimed", boot.command_line);
  if (boot.partitions_measured) {
    out.add("disk", tpm::guid_text(boot.disk));
    for (size_t i = 0; i < boot.partitions.size(); ++i) {
      const tpm::BootPartition& partition = boot.partitions[i];
      out.add("partition." + std::to_string(i), tpm::guid_text(partition.id) + " " + partition.type +
              (partition.name.empty() ? "" : " \"" + partition.name + "\""));
    }
  }
  for (size_t i = 0; i < boot.notes.size(); ++i) out.add("note." + std::to_string(i), boot.notes[i]);
}

Claim secure_boot_claim(const tpm::BootState* boot) {
  Claim claim;
  claim.name = "secure_boot";
  claim.component = "Secure Boot";
  claim.expected = "on";
  if (boot == nullptr) {
    claim.seen = "unknown";
    claim.why = "no event log tells whether it was on";
    return claim;
  }
  claim.seen = tpm::secure_boot_name(boot->secure_boot);
  if (boot->secure_boot == tpm::SecureBoot::on) claim.result = ClaimResult::passed;
  else claim.why = boot->secure_boot_why.empty() ? "firmware measured that it was off" : boot->secure_boot_why;
  return claim;
}

}  // namespace cstl
