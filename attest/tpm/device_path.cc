#include <cstdio>

#include "attest/tpm/uefi.h"

namespace cstl::tpm {

namespace {
constexpr uint8_t kHardware = 1, kAcpi = 2, kMessaging = 3, kMedia = 4, kBios = 5, kEnd = 0x7f;
constexpr uint8_t kEndInstance = 0x01, kFilePath = 4;

struct Node {
  uint8_t type = 0, subtype = 0;
  Bytes data;
};

// One EFI_DEVICE_PATH_PROTOCOL node (UEFI 10.2). Errors: truncated, bad_value.
Result<Node> next_node(Reader& r) {
  Node node;
  TRY_LET(node.type, r.u8());
  TRY_LET(node.subtype, r.u8());
  TRY_LET(uint16_t size, r.u16le());
  if (size < 4) return fail(Code::bad_value, "device_path.size");
  TRY_LET(node.data, r.bytes(size - 4u));
  return node;
}

uint64_t little(Bytes data, size_t at, size_t size) {
  uint64_t out = 0;
  for (size_t i = size; i > 0; --i) out = out << 8 | (at + i - 1 < data.size() ? data[at + i - 1] : 0);
  return out;
}

Guid guid_of(Bytes data) {
  Guid out{};
  std::memcpy(out.data(), data.data(), data.size() < out.size() ? data.size() : out.size());
  return out;
}

std::string hex(uint64_t value) {
  char text[20];
  (void)std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string acpi_text(Bytes d) {
  uint32_t hid = static_cast<uint32_t>(little(d, 0, 4));
  std::string uid = hex(little(d, 4, 4));
  if (hid == 0x0a0341d0) return "PciRoot(" + uid + ")";
  if (hid == 0x0a0841d0) return "PcieRoot(" + uid + ")";
  return "Acpi(" + hex(hid) + "," + uid + ")";
}

std::string messaging_text(const Node& node) {
  Bytes d = node.data;
  switch (node.subtype) {
    case 1: return "Ata(" + std::to_string(little(d, 0, 1)) + "," + std::to_string(little(d, 1, 1)) + "," +
                   std::to_string(little(d, 2, 2)) + ")";
    case 2: return "Scsi(" + std::to_string(little(d, 0, 2)) + "," + std::to_string(little(d, 2, 2)) + ")";
    case 5: return "USB(" + std::to_string(little(d, 0, 1)) + "," + std::to_string(little(d, 1, 1)) + ")";
    case 10: return "VenMsg(" + guid_text(guid_of(d)) + ")";
    case 11: return "MAC(" + to_hex(d.first(6)) + ")";
    case 12: return "IPv4()";
    case 13: return "IPv6()";
    case 17: return "LUN(" + std::to_string(little(d, 0, 1)) + ")";
    case 18: return "Sata(" + std::to_string(little(d, 0, 2)) + "," + std::to_string(little(d, 2, 2)) + "," +
                    std::to_string(little(d, 4, 2)) + ")";
    case 23: return "NVMe(" + std::to_string(little(d, 0, 4)) + "," + to_hex(d.skip(4).first(8)) + ")";
    case 24: return "Uri(" + plain_text(d, 128) + ")";
    case 26: return "SD(" + std::to_string(little(d, 0, 1)) + ")";
    case 29: return "eMMC(" + std::to_string(little(d, 0, 1)) + ")";
    default: return "Msg(" + std::to_string(node.subtype) + ")";
  }
}

std::string drive_text(Bytes d) {
  std::string number = std::to_string(little(d, 0, 4));
  uint64_t format = little(d, 37, 1);
  if (format == 2) return "HD(" + number + ",GPT," + guid_text(guid_of(d.skip(20))) + ")";
  return "HD(" + number + (format == 1 ? ",MBR," + hex(little(d, 20, 4)) : ",") + ")";
}

std::string media_text(const Node& node) {
  Bytes d = node.data;
  switch (node.subtype) {
    case 1: return drive_text(d);
    case 2: return "CDROM(" + hex(little(d, 0, 4)) + ")";
    case 3: return "VenMedia(" + guid_text(guid_of(d)) + ")";
    case kFilePath: return utf16_text(d, 256);
    case 6: return "FvFile(" + guid_text(guid_of(d)) + ")";
    case 7: return "Fv(" + guid_text(guid_of(d)) + ")";
    case 8: return "Offset(" + hex(little(d, 4, 8)) + "," + hex(little(d, 12, 8)) + ")";
    case 9: return "RamDisk(" + hex(little(d, 0, 8)) + "," + hex(little(d, 8, 8)) + ")";
    default: return "Media(" + std::to_string(node.subtype) + ")";
  }
}

std::string node_text(const Node& node) {
  Bytes d = node.data;
  switch (node.type) {
    case kHardware:
      if (node.subtype == 1) return "Pci(" + hex(little(d, 1, 1)) + "," + hex(little(d, 0, 1)) + ")";
      if (node.subtype == 3) return "MemoryMapped(" + hex(little(d, 4, 8)) + "," + hex(little(d, 12, 8)) + ")";
      if (node.subtype == 4) return "VenHw(" + guid_text(guid_of(d)) + ")";
      break;
    case kAcpi:
      if (node.subtype == 1) return acpi_text(d);
      break;
    case kMessaging: return messaging_text(node);
    case kMedia: return media_text(node);
    case kBios: return "BBS(" + plain_text(d.skip(4), 64) + ")";
    default: break;
  }
  return "Path(" + std::to_string(node.type) + "," + std::to_string(node.subtype) + ")";
}
}  // namespace

std::string device_path_text(Bytes path, size_t max) {
  std::string out;
  Reader r(path);
  for (size_t count = 0; r.remaining() > 0; ++count) {
    Result<Node> node = next_node(r);
    if (!node.ok() || count == kMaxDevicePathNodes) {
      out += out.empty() ? "..." : "/...";
      break;
    }
    if (node->type == kEnd && node->subtype != kEndInstance) break;
    if (!out.empty() && out.back() != ',') out += node->type == kEnd ? ',' : '/';
    if (node->type != kEnd) out += node_text(*node);
  }
  if (out.size() > max) out.resize(max);
  return out;
}

std::string device_path_file(Bytes path, size_t max) {
  std::string out;
  Reader r(path);
  for (size_t count = 0; r.remaining() > 0 && count < kMaxDevicePathNodes; ++count) {
    Result<Node> node = next_node(r);
    if (!node.ok() || node->type == kEnd) break;
    if (node->type != kMedia || node->subtype != kFilePath) continue;
    if (!out.empty() && out.back() != '\\') out += '\\';
    out += utf16_text(node->data, max);
  }
  if (out.size() > max) out.resize(max);
  return out;
}

}  // namespace cstl::tpm
