#include "boot/kubernetes/node.h"

namespace cstl::kubernetes {
namespace {
constexpr size_t kMaxArguments = 64;
constexpr std::string_view kBefore = "KUBELET_KUBEADM_ARGS=\"";
constexpr std::string_view kForbidden = "\"'\\$`";
}  // namespace

Result<std::vector<std::string>> parse_kubelet_flags(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  if (text.size() <= kBefore.size() || text.substr(0, kBefore.size()) != kBefore || text.back() != '"') {
    return fail(Code::bad_value, "kubelet_flags.form");
  }
  text.remove_prefix(kBefore.size());
  text.remove_suffix(1);
  std::vector<std::string> out;
  std::string word;
  for (char c : text) {
    if (c < ' ' || c > '~' || kForbidden.find(c) != std::string_view::npos) return fail(Code::bad_value, "kubelet_flags.byte");
    if (c != ' ') {
      word.push_back(c);
      continue;
    }
    if (!word.empty()) out.push_back(std::move(word));
    word.clear();
  }
  if (!word.empty()) out.push_back(std::move(word));
  if (out.size() > kMaxArguments) return fail(Code::bad_value, "kubelet_flags.count");
  return out;
}

}  // namespace cstl::kubernetes
