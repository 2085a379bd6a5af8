// Where a program finds this machine's devices (attest/platform/platform.h), on its command line. cstl-init and
// cstl-bootstrapper start programs with what the image says; nothing that a host or a peer sends comes here.
#pragma once

#include "attest/platform/platform.h"
#include "svc/run/arguments.h"

namespace cstl {

constexpr Option kTpmOption = {"--tpm", "DEVICE", "/dev/tpmrm0", "the TPM"};
constexpr Option kEventLogOption = {"--event-log", "FILE", "/sys/kernel/security/tpm0/binary_bios_measurements",
                                    "firmware event log; '' for none"};
constexpr Option kCcelOption = {"--ccel", "FILE", "/sys/firmware/acpi/tables/data/CCEL",
                                "event log of TDX, if it exists"};
constexpr Option kConfigfsOption = {"--configfs", "FOLDER", tsm::kConfigfsReports,
                                    "where the kernel makes TEE reports"};
constexpr Option kSevGuestOption = {"--sev-guest", "DEVICE", tsm::kSevGuest, "where it makes them otherwise"};
constexpr Option kRtmr3Option = {"--rtmr3", "FILE", "/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384",
                                 "TDX's register of the cluster"};
constexpr Option kMetadataServiceOption = {"--metadata-service", "URL", kMetadataService,
                                           "the cloud's, where one is needed"};
constexpr Option kCollateralOption = {"--collateral", "FILE", "/etc/cstl/tee-collateral",
                                      "what is stapled to evidence, if it exists"};

// Of a program that lists all of the above. The file of sev-snp's register is the program's to say.
PlatformPaths platform_paths(const Arguments& arguments);
// The same as arguments, for a program that is started.
std::vector<std::string> platform_arguments(const PlatformPaths& paths);

}  // namespace cstl
