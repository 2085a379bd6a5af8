#include "attest/tpm/boot_state.h"

#include "attest/tpm/event_types.h"
#include "attest/tpm/secure_boot.h"

namespace cstl::tpm {

namespace {
constexpr std::string_view kGceInfo("GCE NonHostInfo\0", 16);
constexpr std::string_view kCommandLinePrefixes[] = {"kernel_cmdline: ", "grub_kernel_cmdline "};

// Which registers hold what (PFP 1.06, 3.3.4; for TDX the mapping of UEFI 2.10, 38.4.1).
bool in_register(const EventLog& log, const Event& event, uint32_t pcr) {
  if (log.format.registers == Registers::pcrs) return event.pcr == pcr;
  if (pcr == 0) return false;  // MRTD: nothing is logged
  uint32_t rtmr = pcr == 1 || pcr == 7 ? 1 : pcr <= 6 ? 2 : 3;
  return event.pcr == rtmr;
}

void note(BootState& state, std::string text) {
  if (state.notes.size() < kMaxBootNotes) state.notes.push_back(std::move(text));
}

// Firmware's own words, before the separator of PCR 0.
void read_firmware(const EventLog& log, BootState& state) {
  for (const Event& event : log.events) {
    if (!event.extends() || !in_register(log, event, 0)) continue;
    if (is_separator(event.digest)) return;
    if (!is_measured(event.data, event.digest)) continue;
    if (event.type == kEvCrtmVersion && state.firmware.empty()) {
      Guid guid{};
      bool is_guid = event.data.size() == guid.size() && event.data[1] != 0;
      if (is_guid) std::memcpy(guid.data(), event.data.data(), guid.size());
      state.firmware = is_guid ? guid_text(guid) : plain_text(event.data, kMaxBootText);
    }
    if (event.type == kEvNonHostInfo && event.data.size() == 32 && event.data.first(16).text() == kGceInfo) {
      constexpr const char* kTechnologies[] = {"none", "AMD SEV", "AMD SEV-ES", "Intel TDX", "AMD SEV-SNP"};
      uint8_t which = event.data[16];
      state.technology = which < 5 ? kTechnologies[which] : "unknown";
    }
  }
}

void read_image(const Event& event, BootState& state) {
  if (state.images.size() == kMaxBootImages) return note(state, "more images than are shown");
  BootImage image;
  image.type = event.type;
  image.digest = to_hex(event.digest);
  Result<ImageLoad> load = ImageLoad::decode(event.data);
  if (load.ok()) {
    image.path = device_path_text(load->path, kMaxBootText);
    image.file = device_path_file(load->path, kMaxBootText);
  }
  state.images.push_back(std::move(image));
}

void read_partitions(const Event& event, BootState& state) {
  Result<PartitionTable> table = PartitionTable::decode(event.data);
  if (!table.ok()) return note(state, "a partition table that is not understood");
  if (state.partitions_measured) return note(state, "a second partition table");
  if (!is_measured(event.data, event.digest)) return note(state, "a partition table whose digest is another");
  state.partitions_measured = true;
  state.disk = table->disk;
  for (size_t i = 0; i < table->count; ++i) {
    if (state.partitions.size() == kMaxBootPartitions) return note(state, "more partitions than are shown");
    Partition partition = table->at(i);
    if (partition.type == Guid{}) continue;
    state.partitions.push_back(BootPartition{partition.id, partition_type_text(partition.type),
                                             utf16_text(partition.name, kMaxBootText)});
  }
}

// Firmware hashes the whole structure, or the variable's contents only (PFP 1.06, table 27: EV_EFI_VARIABLE_BOOT).
bool boot_variable_measured(const Event& event, const Variable& variable) {
  return is_measured(event.data, event.digest) || is_measured(variable.data, event.digest);
}

void read_boot_option(const EventLog& log, BootState& state) {
  std::string wanted;
  for (const Event& event : log.events) {
    if (event.type != kEvVariableBoot && event.type != kEvVariableBoot2) continue;
    Result<Variable> variable = Variable::decode(event.data);
    if (!variable.ok() || !boot_variable_measured(event, *variable)) continue;
    std::string name = utf16_text(variable->name, 16);
    if (name == "BootOrder" && variable->data.size() >= 2) {
      constexpr const char* kDigits = "0123456789ABCDEF";
      unsigned number = variable->data[0] | variable->data[1] << 8;
      wanted = "Boot";
      for (int shift = 12; shift >= 0; shift -= 4) wanted += kDigits[number >> shift & 15];
    } else if (!wanted.empty() && name == wanted && state.boot_option.empty()) {
      Result<LoadOption> option = LoadOption::decode(variable->data);
      if (option.ok()) state.boot_option = utf16_text(option->description, kMaxBootText);
    }
  }
}

// GRUB measures the text without its prefix, with or without its zero; systemd-boot the UTF-16 text with its zero, of
// which old ones log only half.
bool text_measured(Bytes text, Bytes digest) {
  std::vector<uint8_t> whole = text.copy();
  whole.push_back(0);
  if (is_measured(whole, digest)) return true;
  for (size_t cut = 0; cut <= 2 && cut <= text.size(); ++cut) {
    if (is_measured(text.first(text.size() - cut), digest)) return true;
  }
  return false;
}

void set_command_line(Bytes text, Bytes digest, BootState& state) {
  if (!state.command_line.empty()) return note(state, "more than one kernel command line");
  if (text.size() > 2 * kMaxCommandLine) note(state, "a kernel command line longer than is shown");
  state.command_line = plain_text(text, kMaxCommandLine);
  state.command_line_measured = text_measured(text, digest);
}

void read_ipl(const EventLog& log, const Event& event, BootState& state) {
  std::string_view text = event.data.text();
  for (std::string_view prefix : kCommandLinePrefixes) {
    if (text.substr(0, prefix.size()) == prefix) {
      return set_command_line(event.data.skip(prefix.size()), event.digest, state);
    }
  }
  bool pcrs = log.format.registers == Registers::pcrs;
  if (pcrs && event.pcr == 11) {
    std::string name = plain_text(event.data, 32);
    bool known = false;
    for (const std::string& other : state.uki_sections) known = known || other == name;
    if (!known && !name.empty() && name[0] == '.' && state.uki_sections.size() < 32) state.uki_sections.push_back(name);
  }
  // systemd-boot before 252, and GRUB's successors, log the line itself.
  bool wide = event.data.size() >= 4 && event.data[0] != 0 && event.data[1] == 0;
  if (pcrs && (event.pcr == 8 || event.pcr == 12) && wide) set_command_line(event.data, event.digest, state);
}

bool ends_with(const std::string& text, std::string_view end) {
  if (text.size() < end.size()) return false;
  for (size_t i = 0; i < end.size(); ++i) {
    char c = text[text.size() - end.size() + i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (c != end[i]) return false;
  }
  return true;
}

void name_boot_loader(const EventLog& log, BootState& state) {
  bool shim = false, grub = false, systemd = false, windows = false;
  for (const Authority& authority : state.authorities) shim = shim || authority.source == "Shim";
  for (const BootImage& image : state.images) {
    grub = grub || ends_with(image.file, "grubx64.efi") || ends_with(image.file, "grub-lakitu.efi");
    systemd = systemd || ends_with(image.file, "systemd-bootx64.efi");
    windows = windows || ends_with(image.file, "bootmgfw.efi");
  }
  for (const Event& event : log.events) {
    if (event.type == kEvIpl) {
      shim = shim || event.data.first(7).text() == "MokList";
      grub = grub || event.data.first(8).text() == "grub_cmd";
    }
    windows = windows || (event.type == kEvSeparator && event.data.text() == "WBCL");
  }
  if (!state.sbat_level.empty()) shim = true;
  if (windows) state.boot_loader = "Windows Boot Manager";
  else if (systemd) state.boot_loader = "systemd-boot";
  else if (!state.uki_sections.empty()) state.boot_loader = "unified kernel image";
  else if (grub) state.boot_loader = "GRUB";
  if (shim) state.boot_loader = state.boot_loader.empty() ? "shim" : "shim and " + state.boot_loader;
}
}  // namespace

BootState BootState::of(const EventLog& log) {
  BootState state;
  if (log.format.algorithm == kAlgSha1) note(state, "SHA-1 proves nothing: all of it is claimed");
  if (log.startup_locality != 0) {
    note(state, "started from locality " + std::to_string(log.startup_locality) + " (measured launch)");
  }
  read_firmware(log, state);
  read_secure_boot(log, state);
  read_boot_option(log, state);
  for (const Event& event : log.events) {
    if (!event.extends()) continue;
    switch (event.type) {
      case kEvBootApplication:
      case kEvBootDriver:
      case kEvRuntimeDriver: read_image(event, state); break;
      case kEvGpt:
      case kEvGpt2: read_partitions(event, state); break;
      case kEvIpl: read_ipl(log, event, state); break;
      case kEvEfiAction:
        state.exit_boot_services = state.exit_boot_services || (in_register(log, event, 5) &&
            event.data.text() == "Exit Boot Services Invocation" && is_measured(event.data, event.digest));
        break;
      default: break;
    }
  }
  name_boot_loader(log, state);
  if (!state.exit_boot_services) note(state, "firmware's last event (ExitBootServices) is not in the log");
  return state;
}

}  // namespace cstl::tpm
