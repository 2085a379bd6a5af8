// A download in a process of its own: what reads from the network (TLS, HTTP, DNS) is not root and holds no descriptor
// but the file that it fills.
#pragma once

#include "boot/components/download.h"

namespace cstl {

// As download(), for https. The child runs as nobody with no_new_privs when the caller is root, else as the caller; it
// ends with the caller. The content that it wrote is to be verified in any case. Errors: as download(), child_failed.
Status download_confined(const std::string& url, int file, const std::vector<uint8_t>& ca_pem,
                         const DownloadLimits& limits, const DownloadProgress& progress, std::string* problem);

}  // namespace cstl
