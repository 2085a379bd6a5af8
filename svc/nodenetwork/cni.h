// The CNI configuration that containerd reads: bridge (cni0, addresses of this node's pod range), portmap. Version
// 0.4.0, which every plugin release since 0.8 takes. containerd adds the loopback interface itself.
//
//  - no ipMasq: the bridge plugin would translate pod → pod on other nodes too; svc/nodenetwork/firewall.h does it.
//  - hairpin: a pod reaches itself through a Service.
//  - leases lie under /run: after a reboot there are no pods, and no addresses that stay taken.
#pragma once

#include <string>

#include "svc/nodenetwork/address.h"

namespace cstl {

constexpr const char* kCniFile = "10-cstl.conflist";

std::string cni_text(const PodRange& own, uint32_t mtu);

// Writes the file if its content differs. True if it did. Errors: by errno.
Result<bool> write_cni(const std::string& folder, const std::string& text);

}  // namespace cstl
