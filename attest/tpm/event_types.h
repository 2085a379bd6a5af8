// Event types of the TCG PC Client Platform Firmware Profile 1.06, table 27, that cstl tells apart, and the tags of
// EV_EVENT_TAG that Linux (drivers/firmware/efi/libstub), systemd (src/fundamental/tpm2-pcr.h) and Windows write.
#pragma once

#include <cstdint>

namespace cstl::tpm {

constexpr uint32_t kEvPostCode = 0x01, kEvNoAction = 0x03, kEvSeparator = 0x04, kEvAction = 0x05, kEvEventTag = 0x06,
                   kEvCrtmContents = 0x07, kEvCrtmVersion = 0x08, kEvCompactHash = 0x0c, kEvIpl = 0x0d,
                   kEvPlatformConfig = 0x0a, kEvNonHostInfo = 0x11;
constexpr uint32_t kEvVariableDriverConfig = 0x80000001, kEvVariableBoot = 0x80000002, kEvBootApplication = 0x80000003,
                   kEvBootDriver = 0x80000004, kEvRuntimeDriver = 0x80000005, kEvGpt = 0x80000006,
                   kEvEfiAction = 0x80000007, kEvFirmwareBlob = 0x80000008, kEvFirmwareBlob2 = 0x8000000a,
                   kEvHandoffTables = 0x80000009, kEvHandoffTables2 = 0x8000000b, kEvVariableBoot2 = 0x8000000c,
                   kEvGpt2 = 0x8000000d, kEvHcrtm = 0x80000010, kEvVariableAuthority = 0x800000e0;

constexpr uint32_t kTagInitrd = 0x8f3b22ec, kTagLoadOptions = 0x8f3b22ed;
constexpr uint32_t kTagLoaderConf = 0xf5bc582a, kTagDevicetreeAddon = 0x6c46f751, kTagInitrdAddon = 0x49dffe0f,
                   kTagUcodeAddon = 0xdac08e1a, kTagUkiProfile = 0x13aed6db;
constexpr uint32_t kTagWindowsBoundary = 0x40010001, kTagWindowsElam = 0x40010002, kTagWindowsModules = 0x40010003,
                   kTagWindowsTrustPoint = 0xc0010004, kTagWindowsAuthority = 0x00060002;

}  // namespace cstl::tpm
