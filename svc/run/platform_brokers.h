// How the processes confine themselves that make TEE reports and ask the cloud's metadata service for a program
// (attest/platform/platform.h: Brokers), the same for every program.
#pragma once

#include "attest/platform/platform.h"

namespace cstl {

// For PlatformDevices::brokers. Both are the attester's user: policy/{seccomp,landlock}/{tsm,metadata}.policy. The
// process that calls Platform::open() and attester() with it is root.
Brokers platform_brokers(const PlatformPaths& paths);

}  // namespace cstl
