#include "attest/tpm/boot_state.h"
#include "attest/tpm/event_types.h"

namespace cstl::tpm {

namespace {
const char* image_kind(uint32_t type) {
  switch (type) {
    case kEvBootDriver: return "boot driver";
    case kEvRuntimeDriver: return "runtime driver";
    default: return "application";
  }
}

void add_line(std::string& out, const std::string& indent, const char* label, const std::string& text) {
  if (text.empty()) return;
  std::string name = label;
  name.resize(name.size() < 16 ? 16 : name.size(), ' ');
  out += indent + name + "  " + text + "\n";
}

std::string short_hex(Bytes digest) { return to_hex(digest.first(8)) + "..."; }

std::string describe(const BootCertificate& certificate) {
  return certificate.subject + " (" + short_hex(certificate.fingerprint) + ")";
}

void add_keys(std::string& out, const std::string& indent, const char* name, const KeyDatabase& keys) {
  if (!keys.present) return;
  for (const BootCertificate& certificate : keys.certificates) add_line(out, indent, name, describe(certificate));
  if (keys.hashes > 0) add_line(out, indent, name, std::to_string(keys.hashes) + " hashes of images");
  if (keys.others > 0) add_line(out, indent, name, std::to_string(keys.others) + " other entries");
  if (keys.certificates.empty() && keys.hashes + keys.others == 0) add_line(out, indent, name, "(empty)");
}

}  // namespace

const char* secure_boot_name(SecureBoot state) {
  switch (state) {
    case SecureBoot::off: return "off";
    case SecureBoot::on: return "on";
    case SecureBoot::unknown: break;
  }
  return "unknown";
}

std::string BootState::to_text(const std::string& indent) const {
  std::string out;
  add_line(out, indent, "firmware", firmware);
  add_line(out, indent, "technology", technology);
  std::string state = secure_boot_name(secure_boot);
  if (!secure_boot_why.empty()) state += ": " + secure_boot_why;
  add_line(out, indent, "Secure Boot", state);
  if (debugger) add_line(out, indent, "debugger", "a UEFI debugger was active");
  if (dma_protection_disabled) add_line(out, indent, "DMA protection", "disabled");
  add_keys(out, indent, "PK", pk);
  add_keys(out, indent, "KEK", kek);
  add_keys(out, indent, "db", db);
  add_keys(out, indent, "dbx", dbx);
  for (const Authority& authority : authorities) {
    add_line(out, indent, "verified by", authority.source + ": " + describe(authority.certificate) +
             (authority.before_separator ? ", a driver" : ""));
  }
  add_line(out, indent, "SBAT level", sbat_level);
  add_line(out, indent, "boot option", boot_option);
  add_line(out, indent, "boot loader", boot_loader);
  for (const BootImage& image : images) {
    std::string name = image.file.empty() ? image.path : image.file;
    if (name.empty()) name = "(no path)";
    add_line(out, indent, image_kind(image.type), name + " " + image.digest.substr(0, 16) + "...");
  }
  if (partitions_measured) {
    std::string list;
    for (const BootPartition& partition : partitions) {
      if (!list.empty()) list += ", ";
      list += partition.type + (partition.name.empty() ? "" : " \"" + partition.name + "\"");
    }
    add_line(out, indent, "disk", guid_text(disk) + ": " + list);
  }
  if (!uki_sections.empty()) {
    std::string list;
    for (const std::string& section : uki_sections) list += (list.empty() ? "" : " ") + section;
    add_line(out, indent, "image sections", list);
  }
  add_line(out, indent, "command line", command_line.empty() ? "" :
           command_line + (command_line_measured ? "" : " (claimed)"));
  for (const std::string& text : notes) add_line(out, indent, "note", text);
  return out;
}

}  // namespace cstl::tpm
