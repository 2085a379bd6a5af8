#include "svc/joinservice/token.h"

#include "crypto/base/utc.h"
#include "crypto/hash.h"

namespace cstl {

namespace {
constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr uint8_t kFair = 252;   // 7 × 36: larger bytes would favour some digits
}  // namespace

Result<TokenText> make_token() {
  TokenText out;
  MutBytes space = out.fill();
  Secret<2 * kTokenSize> noise;
  size_t used = noise.size();
  for (size_t i = 0; i < kTokenSize;) {
    if (i == kTokenIdSize) {
      space.data()[i++] = '.';
      continue;
    }
    if (used == noise.size()) {
      TRY(random_bytes(noise.fill()));
      used = 0;
    }
    uint8_t byte = noise.declassify()[used++];
    if (byte < kFair) space.data()[i++] = static_cast<uint8_t>(kDigits[byte % kDigits.size()]);
  }
  return out;
}

std::string token_id(const TokenText& token) { return std::string(token.declassify().first(kTokenIdSize).text()); }

nlohmann::json token_object(const TokenText& token, const std::string& node, int64_t now) {
  const std::string id = token_id(token);
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"type", "bootstrap.kubernetes.io/token"},
          {"metadata", {{"name", "bootstrap-token-" + id}, {"namespace", "kube-system"}}},
          {"stringData",
           {{"token-id", id},
            {"token-secret", std::string(token.declassify().skip(kTokenIdSize + 1).text())},
            {"expiration", utc_text(now + kTokenSeconds)},
            {"usage-bootstrap-authentication", "true"},
            {"usage-bootstrap-signing", "true"},
            {"auth-extra-groups", "system:bootstrappers:kubeadm:default-node-token"},
            {"description", "for the join of node " + node}}}};
}

}  // namespace cstl
