// The network of the initramfs: loopback, and one static address on the first Ethernet interface, by ioctl(2).
// The metadata that names the address is the host's; so is the network. Nothing is trusted because of it.
#pragma once

#include <string>

#include "boot/metadata/metadata.h"

namespace cstl {

// Waits up to ten seconds for an interface. Returns its name. Errors: network_failed with errno and a site.
Result<std::string> configure_network(const Metadata& metadata);

}  // namespace cstl
