#include "attest/tpm/event_types.h"
#include "attest/tpm/eventlog.h"
#include "attest/tpm/uefi.h"

namespace cstl::tpm {

namespace {
constexpr size_t kMaxText = 160;

struct TypeName {
  uint32_t type;
  const char* name;
};
constexpr TypeName kTypes[] = {
    {0, "EV_PREBOOT_CERT"}, {1, "EV_POST_CODE"}, {3, "EV_NO_ACTION"}, {4, "EV_SEPARATOR"}, {5, "EV_ACTION"},
    {6, "EV_EVENT_TAG"}, {7, "EV_S_CRTM_CONTENTS"}, {8, "EV_S_CRTM_VERSION"}, {9, "EV_CPU_MICROCODE"},
    {10, "EV_PLATFORM_CONFIG_FLAGS"}, {11, "EV_TABLE_OF_DEVICES"}, {12, "EV_COMPACT_HASH"}, {13, "EV_IPL"},
    {14, "EV_IPL_PARTITION_DATA"}, {15, "EV_NONHOST_CODE"}, {16, "EV_NONHOST_CONFIG"}, {17, "EV_NONHOST_INFO"},
    {18, "EV_OMIT_BOOT_DEVICE_EVENTS"}, {19, "EV_POST_CODE2"}, {0x80000001, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
    {0x80000002, "EV_EFI_VARIABLE_BOOT"}, {0x80000003, "EV_EFI_BOOT_SERVICES_APPLICATION"},
    {0x80000004, "EV_EFI_BOOT_SERVICES_DRIVER"}, {0x80000005, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
    {0x80000006, "EV_EFI_GPT_EVENT"}, {0x80000007, "EV_EFI_ACTION"}, {0x80000008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
    {0x80000009, "EV_EFI_HANDOFF_TABLES"}, {0x8000000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
    {0x8000000b, "EV_EFI_HANDOFF_TABLES2"}, {0x8000000c, "EV_EFI_VARIABLE_BOOT2"}, {0x8000000d, "EV_EFI_GPT_EVENT2"},
    {0x80000010, "EV_EFI_HCRTM_EVENT"}, {0x800000e0, "EV_EFI_VARIABLE_AUTHORITY"},
    {0x800000e1, "EV_EFI_SPDM_FIRMWARE_BLOB"}, {0x800000e2, "EV_EFI_SPDM_FIRMWARE_CONFIG"},
    {0x800000e3, "EV_EFI_SPDM_DEVICE_POLICY"}, {0x800000e4, "EV_EFI_SPDM_DEVICE_AUTHORITY"},
};

struct TagName {
  uint32_t id;
  const char* component;
};
constexpr TagName kTags[] = {
    {kTagInitrd, "initrd"}, {kTagLoadOptions, "kernel command line"}, {kTagLoaderConf, "boot loader configuration"},
    {kTagDevicetreeAddon, "device tree addon"}, {kTagInitrdAddon, "initrd addon"}, {kTagUcodeAddon, "microcode addon"},
    {kTagUkiProfile, "image profile"}, {kTagWindowsBoundary, "Windows boot"}, {kTagWindowsElam, "Windows boot"},
    {kTagWindowsModules, "Windows boot modules"}, {kTagWindowsTrustPoint, "Windows trust point"},
    {kTagWindowsAuthority, "Windows boot authority"},
};

std::string variable_text(Bytes data) {
  Result<Variable> variable = Variable::decode(data);
  if (!variable.ok()) return "variable that is not understood";
  std::string name = utf16_text(variable->name, 64);
  std::string out = "variable " + name;
  if (variable->is(kGlobalVariable, "SecureBoot") && variable->data.size() == 1) {
    return out + " = " + std::to_string(variable->data[0]);
  }
  if (name.size() == 8 && name.compare(0, 4, "Boot") == 0) {
    Result<LoadOption> option = LoadOption::decode(variable->data);
    if (option.ok()) return out + " = " + utf16_text(option->description, 64);
  }
  return out;
}

std::string image_text(Bytes data) {
  Result<ImageLoad> load = ImageLoad::decode(data);
  std::string path = load.ok() ? device_path_text(load->path, kMaxText) : std::string();
  return path.empty() ? std::to_string(data.size()) + " bytes" : path;
}

std::string table_text(Bytes data) {
  Result<PartitionTable> table = PartitionTable::decode(data);
  if (!table.ok()) return std::to_string(data.size()) + " bytes";
  return "disk " + guid_text(table->disk) + ", " + std::to_string(table->count) + " partitions";
}

std::string register_component(const Event& event, Registers registers) {
  if (registers == Registers::cc) {
    return event.pcr >= 1 && event.pcr <= kRtmrCount ? "RTMR" + std::to_string(event.pcr - 1) : "MRTD";
  }
  switch (event.pcr) {
    case 0: return "firmware";
    case 1: return "platform configuration";
    case 2: return "option ROM";
    case 3: return "option ROM configuration";
    case 4: return "boot loader";
    case 5: return "boot loader configuration";
    case 6: return "platform vendor";
    case 7: return "Secure Boot configuration";
    case 8: return "kernel command line";
    case 9: return "initrd or kernel command line";
    case 11: return event.type == kEvIpl ? "section " + plain_text(event.data, 32) : "unified kernel image";
    case 12: return "command line override, credential or addon";
    case 13: return "system extension";
    case 14: return "machine owner keys";
    default: return "PCR " + std::to_string(event.pcr);
  }
}

std::string ipl_component(const Event& event, Registers registers) {
  std::string_view text = event.data.text();
  auto starts = [&](std::string_view with) { return text.substr(0, with.size()) == with; };
  if (starts("kernel_cmdline: ") || starts("grub_kernel_cmdline ")) return "kernel command line";
  if (starts("grub_cmd: ") || starts("grub_cmd ")) return "GRUB command";
  if (starts("module_cmdline: ")) return "GRUB module command line";
  if (starts("MokList")) return "machine owner keys";
  if (starts("/") || starts("(")) return "file read by GRUB";
  return register_component(event, registers);
}
}  // namespace

const char* event_type_name(uint32_t type) {
  for (const TypeName& row : kTypes) {
    if (row.type == type) return row.name;
  }
  return "unknown";
}

std::string event_component(const Event& event, Registers registers) {
  switch (event.type) {
    case kEvSeparator: return "separator";
    case kEvVariableDriverConfig: return event.pcr == 7 || registers == Registers::cc ? "Secure Boot configuration"
                                                                                      : "platform configuration";
    case kEvVariableAuthority: return "Secure Boot configuration";
    case kEvVariableBoot:
    case kEvVariableBoot2: return "boot variables";
    case kEvGpt:
    case kEvGpt2: return "partition table";
    case kEvBootDriver:
    case kEvRuntimeDriver: return "EFI driver";
    case kEvBootApplication:
      return event.pcr == 4 || registers == Registers::cc ? "unified kernel image or its kernel" : "EFI application";
    case kEvEfiAction:
    case kEvAction: return "boot attempt";
    case kEvCrtmContents:
    case kEvCrtmVersion:
    case kEvHcrtm:
    case kEvFirmwareBlob:
    case kEvFirmwareBlob2: return "firmware";
    case kEvIpl: return ipl_component(event, registers);
    case kEvEventTag: {
      Result<TaggedEvent> tag = TaggedEvent::decode(event.data);
      if (tag.ok()) {
        for (const TagName& row : kTags) {
          if (row.id == tag->id) return row.component;
        }
      }
      // Linux wrote its text without the tag into confidential computing logs.
      if (event.data.first(12).text() == "LOADED_IMAGE") return "kernel command line";
      if (event.data.first(12).text() == "Linux initrd") return "initrd";
      break;
    }
    default: break;
  }
  return register_component(event, registers);
}

std::string event_text(const Event& event) {
  switch (event.type) {
    case kEvVariableDriverConfig:
    case kEvVariableBoot:
    case kEvVariableBoot2:
    case kEvVariableAuthority: return variable_text(event.data);
    case kEvEventTag: {
      Result<TaggedEvent> tag = TaggedEvent::decode(event.data);
      return plain_text(tag.ok() ? tag->data : event.data, kMaxText);
    }
    case kEvBootApplication:
    case kEvBootDriver:
    case kEvRuntimeDriver: return image_text(event.data);
    case kEvGpt:
    case kEvGpt2: return table_text(event.data);
    case kEvFirmwareBlob:
    case kEvFirmwareBlob2:
    case kEvHandoffTables:
    case kEvHandoffTables2: return std::to_string(event.data.size()) + " bytes";
    default: return plain_text(event.data, kMaxText);
  }
}

}  // namespace cstl::tpm
