#include "boot/kubernetes/etcd_members.h"

namespace cstl::kubernetes {
namespace {

using Json = nlohmann::json;
constexpr std::string_view kScheme = "https://";
constexpr size_t kMaxId = 20, kMaxName = 253;

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

// The gateway leaves out what is empty.
Result<std::string> text(const Json& object, const char* name, const char* site) {
  const Json* value = member(object, name);
  if (value == nullptr) return std::string();
  if (!value->is_string()) return fail(Code::api_garbage, site);
  return value->get_ref<const std::string&>();
}

bool made_of(std::string_view text, std::string_view more, bool letters) {
  for (char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!(c >= '0' && c <= '9') && !(letters && letter) && more.find(c) == std::string_view::npos) return false;
  }
  return true;
}

Result<std::string> only_peer(const Json& object) {
  const Json* peers = member(object, "peerURLs");
  if (peers == nullptr || !peers->is_array() || peers->size() != 1 || !(*peers)[0].is_string()) {
    return fail(Code::api_garbage, "etcd.peer");
  }
  const std::string& url = (*peers)[0].get_ref<const std::string&>();
  if (url.compare(0, kScheme.size(), kScheme) != 0) return fail(Code::api_garbage, "etcd.peer");
  auto endpoint = parse_endpoint(std::string_view(url).substr(kScheme.size()));
  if (!endpoint.ok()) return fail(Code::api_garbage, "etcd.peer");
  return std::string(kScheme) + endpoint_text(*endpoint);
}

Result<EtcdMember> parse_member(const Json& object) {
  EtcdMember out;
  TRY_LET(out.id, text(object, "ID", "etcd.id"));
  if (out.id.empty() || out.id.size() > kMaxId || !made_of(out.id, "", false)) return fail(Code::api_garbage, "etcd.id");
  TRY_LET(out.name, text(object, "name", "etcd.name"));
  if (out.name.size() > kMaxName || !made_of(out.name, "-.", true)) return fail(Code::api_garbage, "etcd.name");
  TRY_LET(out.peer, only_peer(object));
  if (const Json* learner = member(object, "isLearner"); learner != nullptr) {
    if (!learner->is_boolean()) return fail(Code::api_garbage, "etcd.learner");
    out.learner = learner->get<bool>();
  }
  return out;
}

}  // namespace

Result<std::vector<EtcdMember>> parse_members(const Json& answer) {
  const Json* list = member(answer, "members");
  if (list == nullptr || !list->is_array() || list->empty() || list->size() > kMaxEtcdMembers) {
    return fail(Code::api_garbage, "etcd.members");
  }
  std::vector<EtcdMember> out;
  for (const Json& entry : *list) {
    TRY_LET(EtcdMember one, parse_member(entry));
    out.push_back(std::move(one));
  }
  return out;
}

std::string peer_url(const IpAddress& address) {
  return std::string(kScheme) + endpoint_text(Endpoint{address, kEtcdPeerPort});
}

MemberStep member_step(const std::vector<EtcdMember>& members, const std::string& peer, bool data, EtcdMember* own) {
  for (const EtcdMember& one : members) {
    if (one.peer != peer) continue;
    *own = one;
    const bool never_started = one.learner && one.name.empty();
    return data || never_started ? MemberStep::go_on : MemberStep::remove;
  }
  return MemberStep::add;
}

std::string initial_cluster(const std::vector<EtcdMember>& members, const std::string& peer, const std::string& name) {
  std::string out;
  for (const EtcdMember& one : members) {
    const std::string& shown = one.peer == peer ? name : one.name.empty() ? one.id : one.name;
    out += (out.empty() ? "" : ",") + shown + "=" + one.peer;
  }
  return out;
}

}  // namespace cstl::kubernetes
