#include "attest/tpm/secure_boot.h"

#include "attest/tpm/event_types.h"
#include "crypto/certificate.h"
#include "crypto/name_text.h"

namespace cstl::tpm {

namespace {
constexpr std::array<uint8_t, 4> kZeros{0, 0, 0, 0}, kOnes{0xff, 0xff, 0xff, 0xff}, kFailed{1, 0, 0, 0};

BootCertificate certificate_of(Bytes der) {
  BootCertificate out;
  Result<CertificateView> view = CertificateView::parse(der);
  if (view.ok()) out.subject = name_text(view->subject, kMaxBootText);
  if (out.subject.empty()) out.subject = "(unreadable)";
  Result<Digest32> fingerprint = sha256({der});
  if (fingerprint.ok()) out.fingerprint = *fingerprint;
  return out;
}

// Why Secure Boot stays unknown; empty: nothing is against it.
class Reading {
 public:
  Reading(const EventLog& log, BootState& state) : log_(log), state_(state) {}

  void run() {
    for (size_t i = 0; i < log_.events.size(); ++i) {
      const Event& event = log_.events[i];
      if (!event.extends() || event.pcr != (log_.format.registers == Registers::pcrs ? 7u : 1u)) continue;
      number_ = i + 1;
      if (separator_) {
        read_after(event);
      } else if (is_separator(event.digest)) {
        separator_ = true;
        failed_ = is_measured(kFailed, event.digest);
      } else {
        read_before(event);
      }
    }
    conclude();
  }

 private:
  void object(const std::string& what) {
    if (why_.empty()) why_ = "event " + std::to_string(number_) + " " + what;
  }

  void read_before(const Event& event) {
    switch (event.type) {
      case kEvVariableDriverConfig: return read_variable(event);
      case kEvVariableAuthority: return read_authority(event, true);
      case kEvEfiAction: return read_action(event);
      case kEvSeparator: return object("is a separator whose digest is another");
      default:
        // RTMR0 also holds what a TPM has in PCR 1, which nobody can verify.
        if (log_.format.registers == Registers::pcrs) object("is of a type that does not belong there");
    }
  }

  // After the separator: authorities, and for RTMR0 PCR 1's events. A running system may have added them.
  void read_after(const Event& event) {
    if (event.type == kEvVariableAuthority) return read_authority(event, false);
    // RTMR0 has PCR 1's separator too, and a BootOrder of Boot0001 and Boot0000 hashes like a separator of failure.
    if (log_.format.registers == Registers::pcrs && is_separator(event.digest)) object("is a second separator");
  }

  void read_action(const Event& event) {
    if (!is_measured(event.data, event.digest)) return object("is an action whose digest is another");
    std::string_view text = event.data.text();
    if (text == "UEFI Debug Mode") state_.debugger = true;
    else if (text == "DMA Protection Disabled") state_.dma_protection_disabled = true;
    else if (log_.format.registers == Registers::pcrs) object("is an unknown action");
  }

  void read_variable(const Event& event) {
    Result<Variable> variable = Variable::decode(event.data);
    if (!variable.ok()) return object("is a variable that is not understood");
    if (!is_measured(event.data, event.digest)) return object("is a variable whose digest is another");
    if (variable->is(kGlobalVariable, "SecureBoot")) return read_state(*variable);
    if (variable->is(kGlobalVariable, "AuditMode") && variable->data.text() != std::string_view("\0", 1)) audit_ = true;
    struct Row {
      const Guid& vendor;
      const char* name;
      KeyDatabase& into;
    };
    const Row rows[] = {{kGlobalVariable, "PK", state_.pk},
                        {kGlobalVariable, "KEK", state_.kek},
                        {kImageSecurityDatabase, "db", state_.db},
                        {kImageSecurityDatabase, "dbx", state_.dbx}};
    for (const Row& row : rows) {
      if (variable->is(row.vendor, row.name)) return read_database(*variable, row.name, row.into);
    }
  }

  void read_state(const Variable& variable) {
    if (state_seen_) return object("is SecureBoot a second time");
    state_seen_ = true;
    // Firmware without the variable, or with Secure Boot never set up, measures it empty.
    if (variable.data.empty()) state_.secure_boot_why = "the variable SecureBoot is empty";
    else if (variable.data.size() != 1 || variable.data[0] > 1) return object("is SecureBoot with an impossible value");
    else enabled_ = variable.data[0] == 1;
  }

  void read_database(const Variable& variable, const char* name, KeyDatabase& into) {
    if (into.present) return object("is " + std::string(name) + " a second time");
    into.present = true;
    SignatureLists lists(variable.data);
    SignatureEntry entry;
    for (;;) {
      Result<bool> more = lists.next(entry);
      if (!more.ok()) return object("is " + std::string(name) + " with a malformed signature list");
      if (!*more) return;
      if (entry.type == kCertSha256) ++into.hashes;
      else if (entry.type != kCertX509) ++into.others;
      else if (into.certificates.size() < kMaxBootCertificates) into.certificates.push_back(certificate_of(entry.data));
      else if (state_.notes.size() < kMaxBootNotes) state_.notes.push_back("more certificates than are shown");
    }
  }

  void read_authority(const Event& event, bool before) {
    Result<Variable> variable = Variable::decode(event.data);
    if (!variable.ok()) return object("is an authority that is not understood");
    // Shims before 15 log one byte more than they measure.
    bool measured = is_measured(event.data, event.digest) ||
                    is_measured(event.data.first(event.data.size() - 1), event.digest);
    if (!measured) return object("is an authority whose digest is another");
    if (variable->is(kShimLock, "SbatLevel")) {
      state_.sbat_level = plain_text(variable->data, kMaxBootText);
      while (!state_.sbat_level.empty() && state_.sbat_level.back() == '.') state_.sbat_level.pop_back();
      return;
    }
    if (variable->is(kShimLock, "MokListTrusted")) return;
    if (state_.authorities.size() == kMaxBootCertificates) return;
    // EFI_SIGNATURE_DATA: the owner, then the certificate. Old shims leave the owner out.
    Bytes data = variable->data;
    bool bare = data.size() > 4 && data[0] == 0x30 && data[1] == 0x82;
    if (!bare && data.size() <= sizeof(Guid)) return object("is an authority that is not understood");
    Authority authority;
    authority.source = utf16_text(variable->name, 32);
    authority.certificate = certificate_of(bare ? data : data.skip(sizeof(Guid)));
    authority.before_separator = before;
    state_.authorities.push_back(std::move(authority));
  }

  static bool holds(const KeyDatabase& keys) { return keys.certificates.size() + keys.hashes + keys.others > 0; }

  void conclude() {
    if (why_.empty()) {
      if (!separator_) why_ = "the register has no separator: firmware did not finish measuring";
      else if (!state_seen_) why_ = "the variable SecureBoot was not measured";
      else if (failed_) why_ = "firmware measured a failure";
      else if (enabled_ && state_.debugger) why_ = "a UEFI debugger was active";
      else if (enabled_ && audit_) why_ = "audit mode: nothing is refused";
      else if (enabled_ && !(holds(state_.pk) && holds(state_.kek) && holds(state_.db))) {
        why_ = "enabled, but PK, KEK or db is empty";
      } else if (enabled_ && state_.authorities.empty()) {
        why_ = "enabled, but no key let an image start";
      }
    }
    if (!why_.empty()) {
      state_.secure_boot = SecureBoot::unknown;
      state_.secure_boot_why = why_;
      return;
    }
    state_.secure_boot = enabled_ ? SecureBoot::on : SecureBoot::off;
  }

  const EventLog& log_;
  BootState& state_;
  std::string why_;
  size_t number_ = 0;
  bool separator_ = false, failed_ = false, state_seen_ = false, enabled_ = false, audit_ = false;
};
}  // namespace

bool is_separator(Bytes digest) {
  // Asked for every event: hashed once.
  struct Known {
    Digest32 sha256_values[3]{};
    Digest48 sha384_values[3]{};
    bool good = true;
    Known() {
      size_t i = 0;
      for (const std::array<uint8_t, 4>& value : {kZeros, kOnes, kFailed}) {
        Result<Digest32> small = sha256({value});
        Result<Digest48> large = sha384({value});
        good = good && small.ok() && large.ok();
        if (!good) return;
        sha256_values[i] = *small;
        sha384_values[i++] = *large;
      }
    }
  };
  static const Known known;
  for (size_t i = 0; known.good && i < 3; ++i) {
    if (equal(digest, known.sha256_values[i]) || equal(digest, known.sha384_values[i])) return true;
  }
  return false;
}

void read_secure_boot(const EventLog& log, BootState& state) {
  if (log.format.algorithm == kAlgSha1) {
    state.secure_boot_why = "SHA-1 proves nothing";
    return;
  }
  Reading(log, state).run();
}

}  // namespace cstl::tpm
