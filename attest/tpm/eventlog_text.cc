#include "attest/tpm/eventlog.h"

namespace cstl::tpm {

namespace {
struct TypeName {
  uint32_t type;
  const char* name;
};
constexpr uint32_t kSeparator = 4, kAction = 5, kEventTag = 6, kIpl = 13, kVariableDriverConfig = 0x80000001,
                   kVariableBoot = 0x80000002, kBootApplication = 0x80000003, kBootDriver = 0x80000004,
                   kRuntimeDriver = 0x80000005, kGpt = 0x80000006, kEfiAction = 0x80000007,
                   kVariableAuthority = 0x800000e0;
constexpr TypeName kTypes[] = {
    {0, "EV_PREBOOT_CERT"}, {1, "EV_POST_CODE"}, {3, "EV_NO_ACTION"}, {4, "EV_SEPARATOR"}, {5, "EV_ACTION"},
    {6, "EV_EVENT_TAG"}, {7, "EV_S_CRTM_CONTENTS"}, {8, "EV_S_CRTM_VERSION"}, {9, "EV_CPU_MICROCODE"},
    {10, "EV_PLATFORM_CONFIG_FLAGS"}, {11, "EV_TABLE_OF_DEVICES"}, {12, "EV_COMPACT_HASH"}, {13, "EV_IPL"},
    {14, "EV_IPL_PARTITION_DATA"}, {15, "EV_NONHOST_CODE"}, {16, "EV_NONHOST_CONFIG"}, {17, "EV_NONHOST_INFO"},
    {18, "EV_OMIT_BOOT_DEVICE_EVENTS"}, {0x80000001, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
    {0x80000002, "EV_EFI_VARIABLE_BOOT"}, {0x80000003, "EV_EFI_BOOT_SERVICES_APPLICATION"},
    {0x80000004, "EV_EFI_BOOT_SERVICES_DRIVER"}, {0x80000005, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
    {0x80000006, "EV_EFI_GPT_EVENT"}, {0x80000007, "EV_EFI_ACTION"}, {0x80000008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
    {0x80000009, "EV_EFI_HANDOFF_TABLES"}, {0x8000000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
    {0x8000000b, "EV_EFI_HANDOFF_TABLES2"}, {0x8000000c, "EV_EFI_VARIABLE_BOOT2"}, {0x80000010, "EV_EFI_HCRTM_EVENT"},
    {0x800000e0, "EV_EFI_VARIABLE_AUTHORITY"}, {0x800000e1, "EV_EFI_SPDM_FIRMWARE_BLOB"},
    {0x800000e2, "EV_EFI_SPDM_FIRMWARE_CONFIG"},
};

// What the Linux EFI stub tags its events with (drivers/firmware/efi/libstub).
constexpr uint32_t kTagInitrd = 0x8f3b22ec, kTagLoadOptions = 0x8f3b22ed;

// UTF-16 or ASCII, as one printable line.
std::string printable(Bytes data, size_t max) {
  bool wide = data.size() >= 2 && data.size() % 2 == 0 && data[0] != 0 && data[1] == 0;
  std::string out;
  for (size_t i = 0; i < data.size() && out.size() < max; i += wide ? 2 : 1) {
    uint8_t c = data[i];
    if (c == 0) break;
    bool plain = c >= 0x20 && c < 0x7f && (!wide || data[i + 1] == 0);
    out += plain ? static_cast<char>(c) : '.';
  }
  return out;
}

// Name of an EFI variable (UEFI_VARIABLE_DATA: GUID, u64 length in characters, u64 size, then UTF-16).
std::string variable_name(Bytes data) {
  Reader r(data);
  if (!r.bytes(16).ok()) return {};
  Result<uint64_t> characters = r.u64le();
  if (!characters.ok() || !r.u64le().ok() || *characters > 64) return {};
  Result<Bytes> name = r.bytes(static_cast<size_t>(*characters) * 2);
  return name.ok() ? printable(*name, 64) : std::string();
}

struct Tagged {
  uint32_t id = 0;
  Bytes data;
};
Result<Tagged> tagged(Bytes data) {
  Reader r(data);
  Tagged out;
  TRY_LET(out.id, r.u32le());
  TRY_LET(uint32_t size, r.u32le());
  TRY_LET(out.data, r.bytes(size));
  return out;
}
}  // namespace

const char* event_type_name(uint32_t type) {
  for (const TypeName& row : kTypes) {
    if (row.type == type) return row.name;
  }
  return "unknown";
}

std::string event_component(const Event& event, Registers registers) {
  if (event.type == kSeparator) return "separator";
  if (event.type == kVariableDriverConfig || event.type == kVariableAuthority) return "Secure Boot configuration";
  if (event.type == kGpt) return "partition table";
  if (event.type == kEventTag) {
    Result<Tagged> tag = tagged(event.data);
    if (tag.ok() && tag->id == kTagInitrd) return "initrd";
    if (tag.ok() && tag->id == kTagLoadOptions) return "kernel command line";
  }
  if (event.type == kBootDriver || event.type == kRuntimeDriver) return "EFI driver";
  if (event.type == kBootApplication) return event.pcr == 4 ? "unified kernel image or its kernel" : "EFI application";
  if (event.type == kEfiAction || event.type == kAction) return "boot attempt";
  if (registers == Registers::cc) return event.pcr >= 1 && event.pcr <= 4 ? "RTMR" + std::to_string(event.pcr - 1) : "MRTD";
  switch (event.pcr) {
    case 0: return "firmware";
    case 1: return event.type == kVariableBoot ? "boot variables" : "platform configuration";
    case 2: return "option ROM";
    case 3: return "option ROM configuration";
    case 4: return "boot loader";
    case 5: return "boot loader configuration";
    case 6: return "platform vendor";
    case 7: return "Secure Boot configuration";
    case 8: return "kernel command line";
    case 9: return "initrd or kernel command line";
    case 11: return event.type == kIpl ? "section " + printable(event.data, 32) : "unified kernel image";
    case 12: return "command line override, credential or addon";
    case 13: return "system extension";
    case 14: return "machine owner keys";
    default: return "PCR " + std::to_string(event.pcr);
  }
}

std::string event_text(const Event& event) {
  constexpr size_t kMax = 160;
  switch (event.type) {
    case kVariableDriverConfig:
    case kVariableBoot:
    case kVariableAuthority: return "variable " + variable_name(event.data);
    case kEventTag: {
      Result<Tagged> tag = tagged(event.data);
      return tag.ok() ? printable(tag->data, kMax) : std::string();
    }
    case kBootApplication:
    case kBootDriver:
    case kRuntimeDriver:
    case kGpt: return std::to_string(event.data.size()) + " bytes";
    default: return printable(event.data, kMax);
  }
}

}  // namespace cstl::tpm
