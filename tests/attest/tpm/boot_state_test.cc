// What may count as Secure Boot, and what a log's writer cannot make us believe.
#include "attest/reference/boot.h"

#include "attest/gcp/instance.h"
#include "attest/tpm/event_types.h"
#include "tests/attest/tpm/log_builder.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tpm;

namespace {
const Buffer kZeros{0, 0, 0, 0};

Buffer config(const Guid& vendor, std::string_view name, const Buffer& data) {
  return measured(7, kEvVariableDriverConfig, variable(vendor, name, data));
}
Buffer secure_boot(uint8_t value) { return config(kGlobalVariable, "SecureBoot", {value}); }
Buffer hashes() { return signature_list(kCertSha256, {Buffer(32, 7)}); }
Buffer pk() { return config(kGlobalVariable, "PK", hashes()); }
Buffer kek() { return config(kGlobalVariable, "KEK", hashes()); }
Buffer db() { return config(kImageSecurityDatabase, "db", hashes()); }
Buffer dbx() { return config(kImageSecurityDatabase, "dbx", {}); }
Buffer keys() { return pk() + kek() + db() + dbx(); }
// The key that let an image start.
Buffer used() {
  Buffer entry = Buffer(16, 0x0f) + load("tpm/ek.der");
  return measured(7, kEvVariableAuthority, variable(kImageSecurityDatabase, "db", entry));
}
Buffer separator(uint32_t pcr = 7) { return measured(pcr, kEvSeparator, kZeros); }
Buffer action(std::string_view words) { return measured(7, kEvEfiAction, text(words)); }

BootState state_of(const Buffer& log) {
  Result<EventLog> decoded = EventLog::decode(log);
  REQUIRE(decoded.ok());
  return BootState::of(*decoded);
}
}  // namespace

TEST_CASE("boot state: Secure Boot is on only if the register says so and nothing else") {
  Buffer unlike = secure_boot(1);
  unlike[14] = static_cast<uint8_t>(unlike[14] ^ 1);
  Buffer disguised = secure_boot(0);  // the measurement of `off`, under another type
  disguised[4] = 1;
  disguised[7] = 0;
  Buffer renamed = measured(7, kEvVariableDriverConfig, variable(kGlobalVariable, "SecureBoot", {1}),
                            variable(kGlobalVariable, "SecureBoot", {0}));
  Buffer torn = config(kImageSecurityDatabase, "db", Buffer(27, 1));
  Buffer broken = measured(7, kEvVariableDriverConfig, Buffer(31, 0));
  struct Row {
    const char* name;
    Buffer events;
    SecureBoot state;
    const char* why;
  };
  const Row rows[] = {
      {"on", secure_boot(1) + keys() + separator() + used(), SecureBoot::on, ""},
      {"on, but nothing was let through", secure_boot(1) + keys() + separator(), SecureBoot::unknown,
       "enabled, but no key let an image start"},
      {"off", secure_boot(0) + keys() + separator(), SecureBoot::off, ""},
      {"never set up", config(kGlobalVariable, "SecureBoot", {}) + keys() + separator(), SecureBoot::off,
       "the variable SecureBoot is empty"},
      {"nothing at all", {}, SecureBoot::unknown, "the register has no separator: firmware did not finish measuring"},
      {"no separator", secure_boot(1) + keys(), SecureBoot::unknown,
       "the register has no separator: firmware did not finish measuring"},
      {"no SecureBoot", keys() + separator(), SecureBoot::unknown, "the variable SecureBoot was not measured"},
      {"SecureBoot after the separator", keys() + separator() + secure_boot(1), SecureBoot::unknown,
       "the variable SecureBoot was not measured"},
      {"off, then on", secure_boot(0) + secure_boot(1) + keys() + separator(), SecureBoot::unknown,
       "event 2 is SecureBoot a second time"},
      {"off, and on after the separator", secure_boot(0) + keys() + separator() + secure_boot(1), SecureBoot::off, ""},
      {"a digest of something else", unlike + keys() + separator(), SecureBoot::unknown,
       "event 1 is a variable whose digest is another"},
      {"the digest of off with the data of on", renamed + keys() + separator(), SecureBoot::unknown,
       "event 1 is a variable whose digest is another"},
      {"off under another type, then on", disguised + secure_boot(1) + keys() + separator(), SecureBoot::unknown,
       "event 1 is of a type that does not belong there"},
      {"another vendor's SecureBoot", config(kShimLock, "SecureBoot", {1}) + keys() + separator(), SecureBoot::unknown,
       "the variable SecureBoot was not measured"},
      {"an impossible value", secure_boot(2) + keys() + separator(), SecureBoot::unknown,
       "event 1 is SecureBoot with an impossible value"},
      {"two bytes", config(kGlobalVariable, "SecureBoot", {1, 0}) + keys() + separator(), SecureBoot::unknown,
       "event 1 is SecureBoot with an impossible value"},
      {"no PK", secure_boot(1) + kek() + db() + separator(), SecureBoot::unknown,
       "enabled, but PK, KEK or db is empty"},
      {"an empty db", secure_boot(1) + pk() + kek() + config(kImageSecurityDatabase, "db", {}) + separator(),
       SecureBoot::unknown, "enabled, but PK, KEK or db is empty"},
      {"db of another vendor", secure_boot(1) + pk() + kek() + config(kGlobalVariable, "db", hashes()) + separator(),
       SecureBoot::unknown, "enabled, but PK, KEK or db is empty"},
      {"db twice", secure_boot(1) + keys() + db() + separator(), SecureBoot::unknown, "event 6 is db a second time"},
      {"a torn db", secure_boot(1) + pk() + kek() + torn + separator(), SecureBoot::unknown,
       "event 4 is db with a malformed signature list"},
      {"a torn variable", secure_boot(1) + broken + keys() + separator(), SecureBoot::unknown,
       "event 2 is a variable that is not understood"},
      {"a debugger", secure_boot(1) + keys() + action("UEFI Debug Mode") + separator(), SecureBoot::unknown,
       "a UEFI debugger was active"},
      {"audit mode", secure_boot(1) + keys() + config(kGlobalVariable, "AuditMode", {1}) + separator(),
       SecureBoot::unknown, "audit mode: nothing is refused"},
      {"no audit mode", secure_boot(1) + keys() + config(kGlobalVariable, "AuditMode", {0}) + separator() + used(),
       SecureBoot::on,
       ""},
      {"DMA protection off", secure_boot(1) + keys() + action("DMA Protection Disabled") + separator() + used(),
       SecureBoot::on, ""},
      {"an action that is not known", secure_boot(1) + keys() + action("Hello") + separator(), SecureBoot::unknown,
       "event 6 is an unknown action"},
      {"firmware failed", secure_boot(1) + keys() + measured(7, kEvSeparator, {1, 0, 0, 0}), SecureBoot::unknown,
       "firmware measured a failure"},
      {"a separator of ones", secure_boot(1) + keys() + measured(7, kEvSeparator, Buffer(4, 0xff)) + used(),
       SecureBoot::on, ""},
      {"a separator under another name", secure_boot(0) + measured(7, kEvPostCode, kZeros) + secure_boot(1) + keys() +
       separator(), SecureBoot::unknown, "event 8 is a second separator"},
      {"an event that claims to be a separator", secure_boot(0) + measured(7, kEvSeparator, kZeros, text("x")) + keys() +
       separator(), SecureBoot::unknown, "event 2 is a separator whose digest is another"},
      {"an authority that holds nothing", secure_boot(1) + keys() + separator() +
       measured(7, kEvVariableAuthority, variable(kImageSecurityDatabase, "db", Buffer(16, 0))), SecureBoot::unknown,
       "event 7 is an authority that is not understood"},
      {"a second separator", secure_boot(1) + keys() + separator() + separator(), SecureBoot::unknown,
       "event 7 is a second separator"},
      {"other registers do not matter", separator(0) + secure_boot(1) + keys() + separator(1) + separator() +
       used(), SecureBoot::on, ""},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    BootState state = state_of(header() + row.events);
    CHECK(std::string(secure_boot_name(state.secure_boot)) == secure_boot_name(row.state));
    CHECK(state.secure_boot_why == row.why);
    Claim claim = secure_boot_claim(&state);
    CHECK((claim.result == ClaimResult::passed) == (row.state == SecureBoot::on));
    CHECK(claim.why.empty() == (row.state == SecureBoot::on));
  }
  CHECK(secure_boot_claim(nullptr).result == ClaimResult::failed);
}

TEST_CASE("boot state: flags, authorities and facts") {
  Buffer entry = Buffer(16, 0x0f) + load("tpm/ek.der");
  Buffer authority = measured(7, kEvVariableAuthority, variable(kImageSecurityDatabase, "db", entry));
  Buffer old_shim = variable(kShimLock, "Shim", load("tpm/ek.der"));
  Buffer bare = measured(7, kEvVariableAuthority, old_shim + Buffer{0xaa}, old_shim);  // no owner, one byte too many
  Buffer sbat = measured(7, kEvVariableAuthority, variable(kShimLock, "SbatLevel", text("sbat,1,2021030218\n")));
  BootState state = state_of(header() + secure_boot(1) + keys() + action("DMA Protection Disabled") + authority +
                             separator() + authority + bare + sbat);
  CHECK(state.secure_boot == SecureBoot::on);
  CHECK(state.dma_protection_disabled);
  CHECK(!state.debugger);
  REQUIRE(state.authorities.size() == 3);
  CHECK(state.authorities[0].before_separator);
  CHECK(!state.authorities[1].before_separator);
  CHECK(state.authorities[1].source == "db");
  CHECK(state.authorities[2].source == "Shim");
  Digest32 fingerprint = *sha256({load("tpm/ek.der")});
  for (const Authority& a : state.authorities) CHECK(a.certificate.fingerprint == fingerprint);
  CHECK(state.sbat_level == "sbat,1,2021030218");
  CHECK(state.boot_loader == "shim");
  std::vector<Fact> facts;
  add_boot_facts(state, facts);
  std::string all;
  for (const Fact& fact : facts) {
    CHECK(fact.value.size() <= 256);
    all += fact.name + "=" + fact.value + "\n";
  }
  CHECK(all.find("boot.secure_boot=on\n") != std::string::npos);
  CHECK(all.find("boot.dma_protection=disabled\n") != std::string::npos);
  CHECK(all.find("boot.authority.1=db: ") != std::string::npos);
  CHECK(all.find("sha256:" + to_hex(fingerprint)) != std::string::npos);
  CHECK(all.find("boot.pk.hashes=1\n") != std::string::npos);
  CHECK(all.find("boot.dbx=empty\n") != std::string::npos);
}

TEST_CASE("boot state: an authority whose digest is another ends it") {
  Buffer entry = Buffer(16, 0x0f) + load("tpm/ek.der");
  Buffer lie = measured(7, kEvVariableAuthority, variable(kImageSecurityDatabase, "db", entry), text("another"));
  BootState state = state_of(header() + secure_boot(1) + keys() + separator() + lie);
  CHECK(state.secure_boot == SecureBoot::unknown);
  CHECK(state.secure_boot_why == "event 7 is an authority whose digest is another");
  CHECK(state.authorities.empty());
}

TEST_CASE("boot state: firmware speaks before its separator, and only what it measured") {
  Buffer version = utf16("Firmware 1") + Buffer(2, 0);
  Buffer lie = measured(0, kEvCrtmVersion, utf16("Firmware 2"), version);
  CHECK(state_of(header() + measured(0, kEvCrtmVersion, version) + separator(0)).firmware == "Firmware 1");
  CHECK(state_of(header() + lie + separator(0)).firmware == "");
  CHECK(state_of(header() + separator(0) + measured(0, kEvCrtmVersion, version)).firmware == "");
  Buffer info = text("GCE NonHostInfo") + Buffer{0, 4} + Buffer(15, 0);
  CHECK(state_of(header() + measured(0, kEvNonHostInfo, info)).technology == "AMD SEV-SNP");
  CHECK(state_of(header() + measured(0, kEvNonHostInfo, info, version)).technology == "");
}

TEST_CASE("boot state: command lines are measured by their text, or claimed") {
  Buffer grub = text("root=/dev/sda1 ro");
  struct Row {
    const char* name;
    Buffer event;
    const char* line;
    bool measured;
  };
  const Row rows[] = {
      {"GRUB", measured(8, kEvIpl, text("kernel_cmdline: ") + grub + Buffer{0}, grub), "root=/dev/sda1 ro", true},
      {"an old GRUB, which measures the zero", measured(8, kEvIpl, text("grub_kernel_cmdline ") + grub + Buffer{0},
       grub + Buffer{0}), "root=/dev/sda1 ro", true},
      {"another text than was measured", measured(8, kEvIpl, text("kernel_cmdline: ") + grub, text("quiet")),
       "root=/dev/sda1 ro", false},
      {"systemd-boot", measured(8, kEvIpl, utf16("root=a b") + Buffer(3, 0), utf16("root=a b") + Buffer(2, 0)),
       "root=a b", true},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    BootState state = state_of(header() + row.event);
    CHECK(state.command_line == row.line);
    CHECK(state.command_line_measured == row.measured);
  }
  BootState two = state_of(header() + rows[0].event + rows[3].event);
  CHECK(two.command_line == "root=/dev/sda1 ro");
  CHECK(two.notes[0] == "more than one kernel command line");
}

TEST_CASE("boot state: what is too much is noted, not shown") {
  Buffer log = header();
  for (size_t i = 0; i < kMaxBootImages + 1; ++i) log = log + event(4, kEvBootApplication, "");
  std::vector<Buffer> many(kMaxBootCertificates + 1, Buffer(20, 0x30));
  log = log + secure_boot(1) + config(kImageSecurityDatabase, "db", signature_list(kCertX509, many)) + separator();
  BootState state = state_of(log);
  CHECK(state.images.size() == kMaxBootImages);
  CHECK(state.db.certificates.size() == kMaxBootCertificates);
  CHECK(state.db.certificates[0].subject == "(unreadable)");
  std::string shown = state.to_text("");
  CHECK(shown.find("more certificates than are shown") != std::string::npos);
  CHECK(shown.find("more images than are shown") != std::string::npos);
  std::vector<Fact> facts;
  add_boot_facts(state, facts);
  CHECK(facts.size() <= kMaxBootFacts);
}

TEST_CASE("boot state: a virtual machine of ours") {
  Buffer data = load("boot/eventlog.bin");
  CHECK(BootState::of(*EventLog::decode(data)).to_text("").find(
            "firmware          2025.02-8+deb13u1\n"
            "Secure Boot       off: the variable SecureBoot is empty\n"
            "PK                (empty)\n") == 0);
  BootState state = state_of(data);
  CHECK(state.boot_loader == "unified kernel image");
  CHECK(state.exit_boot_services);
  REQUIRE(state.images.size() == 2);
  CHECK(state.images[0].file == "\\EFI\\BOOT\\BOOTX64.EFI");
  std::string sections;
  for (const std::string& name : state.uki_sections) sections += name + " ";
  CHECK(sections == ".linux .osrel .cmdline .initrd .uname .sbat ");
  CHECK(state.partitions_measured);
}

TEST_CASE("Google's memory encryption is what stands before the separator, whatever the writer calls the events") {
  auto info = [](gcp::Technology technology) {
    Buffer event = text("GCE NonHostInfo") + Buffer{0, static_cast<uint8_t>(technology)} + Buffer(15, 0);
    return measured(0, kEvNonHostInfo, event);
  };
  auto renamed = [](Buffer event, uint32_t type) {
    event[4] = static_cast<uint8_t>(type);  // types are below 256 here
    return event;
  };
  auto code_of = [](const Buffer& events) {
    Buffer log = header() + events;
    Result<EventLog> decoded = EventLog::decode(log);
    REQUIRE(decoded.ok());
    return gcp::technology_of(*decoded).code();
  };
  const Buffer none = info(gcp::Technology::none), snp = info(gcp::Technology::sev_snp);
  CHECK(code_of(snp + separator(0)) == Code::ok);
  CHECK(code_of(snp + separator(0) + snp) == Code::ok);
  CHECK(code_of(none + separator(0) + snp) == Code::ok);
  CHECK(code_of(separator(0) + snp) == Code::technology_unknown);
  CHECK(code_of(snp + snp + separator(0)) == Code::technology_unknown);
  CHECK(code_of(snp) == Code::technology_unknown);  // anyone may have said it
  // A machine without encryption extends PCR 0 once more, and calls what the firmware measured by other names.
  const Buffer lie = renamed(none, kEvIpl) + renamed(separator(0), kEvIpl) + snp;
  CHECK(code_of(lie) == Code::technology_unknown);
  CHECK(code_of(lie + separator(0)) == Code::technology_unknown);
}
