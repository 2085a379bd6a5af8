// Bootstrap tokens of kubeadm: "[a-z0-9]{6}.[a-z0-9]{16}", the id public, the rest secret; each a Secret in kube-system
// that the API server takes as a bearer token until it expires, and that signs cluster-info for discovery.
#pragma once

#include <string>

#include "crypto/base/json.h"
#include "crypto/base/secret.h"

namespace cstl {

constexpr size_t kTokenIdSize = 6;
constexpr size_t kTokenSecretSize = 16;
constexpr size_t kTokenSize = kTokenIdSize + 1 + kTokenSecretSize;
constexpr int64_t kTokenSeconds = 15 * 60;

using TokenText = Secret<kTokenSize>;

// Each digit uniform, from the process's random generator. Errors: no_entropy.
Result<TokenText> make_token();
std::string token_id(const TokenText& token);
// The Secret of `token`, which ends kTokenSeconds after `now` (Unix seconds). `node`: who it is for, in its description.
// The object carries the secret: the caller drops it at once.
nlohmann::json token_object(const TokenText& token, const std::string& node, int64_t now);

}  // namespace cstl
