// The administrator's kubeconfig, as kubeadm writes it on the first control plane: secret, since it holds the key of a
// cluster administrator. It is kept in the workspace as cstl-admin.conf (mode 0600), written atomically.
#pragma once

#include "crypto/base/secret.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

std::string kubeconfig_path(const std::string& workspace);

// The same file with `server` in the place of the API's address. Pure. Errors: bad_value (not exactly one cluster).
Result<SecretBuffer> readdress_kubeconfig(Bytes kubeconfig, const std::string& server);

// `server` ("https://127.0.0.1:40123") takes the place of the API's address in the file, unless it is empty: from the
// operator's side another address may lead there. Errors: bad_value (not exactly one cluster), no_space, io.
Status store_kubeconfig(const std::string& workspace, Bytes kubeconfig, const std::string& server);

}  // namespace cstl::cli
