#include "boot/kubernetes/etcd.h"

#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl::kubernetes {
namespace {

constexpr const char* kPki = "/etc/kubernetes/pki/";
constexpr const char* kManifest = "/etc/kubernetes/manifests/etcd.yaml";
constexpr const char* kData = "/var/lib/etcd/member";
constexpr const char* kControlPlanes = "/api/v1/nodes?labelSelector=node-role.kubernetes.io%2Fcontrol-plane";
constexpr uint16_t kLearnersMinor = 29;
constexpr int kPatienceMs = 180'000;
constexpr int kPromoteMs = 600'000;
constexpr int kPauseMs = 2000;
constexpr int kQuietMs = 10'000;
constexpr int kRounds = 8;      // of looking and changing

using Json = nlohmann::json;

const Json* member(const Json* object, const char* name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  auto found = object->find(name);
  return found == object->end() ? nullptr : &*found;
}

bool exists(const char* path) { return access(path, F_OK) == 0; }

// Where the other control planes' etcd listens.
Result<std::vector<std::string>> other_members(Api& api, const NodePlace& node) {
  TRY_LET(const Json list, api.get(kControlPlanes, kPatienceMs));
  std::vector<std::string> out;
  const Json* items = member(&list, "items");
  if (items == nullptr || !items->is_array()) return fail(Code::api_garbage, "etcd.nodes");
  for (const Json& item : *items) {
    const Json* addresses = member(member(&item, "status"), "addresses");
    if (addresses == nullptr || !addresses->is_array()) continue;
    for (const Json& entry : *addresses) {
      const Json *type = member(&entry, "type"), *text = member(&entry, "address");
      if (type == nullptr || *type != "InternalIP" || text == nullptr || !text->is_string()) continue;
      auto address = parse_ip(text->get_ref<const std::string&>());
      if (address.ok() && !(*address == node.address)) {
        out.push_back("https://" + endpoint_text(Endpoint{*address, kEtcdPort}));
      }
    }
  }
  if (out.empty()) return fail(Code::not_found, "etcd.nodes");
  return out;
}

Result<Api> open_etcd(std::vector<std::string> servers, const Report& report) {
  const std::string pki = std::string(kPki) + "etcd/";
  Access access = Access::with_certificate(servers[0], pki + "ca.crt", pki + "healthcheck-client.crt",
                                           pki + "healthcheck-client.key");
  access.more_servers.assign(servers.begin() + 1, servers.end());
  return Api::open(std::move(access), report);
}

Result<std::vector<EtcdMember>> members_of(Api& etcd) {
  TRY_LET(const Json answer, etcd.post("/v3/cluster/member/list", Json::object(), kPatienceMs));
  return parse_members(answer);
}

// kubeadm writes the manifest of a first etcd, but for the arguments that make it join.
Status write_manifest(const ClusterConfig& cluster, const NodePlace& node, const std::string& initial, Monitor& monitor,
                      const Report& report) {
  TRY_LET(const ConfigApi config, config_api(cluster.kubernetes));
  TRY_LET(const std::string text, etcd_configuration(cluster, node, initial));
  TRY(write_file_durably(kKubeadmFile, text, 0600));
  std::vector<std::string> arguments = {"init", "phase", "etcd", "local", "--config", kKubeadmFile};
  for (std::string& more : kubeadm_arguments(config, {})) arguments.push_back(std::move(more));
  return run_kubeadm(std::move(arguments), KubeletStart::no, monitor, report);
}

}  // namespace

Result<std::vector<EtcdMember>> ensure_member(Api& etcd, const std::string& peer, bool data, const Report& report) {
  Error last = fail(Code::timeout, "etcd.member");
  for (int round = 0; round < kRounds; ++round) {
    TRY_LET(std::vector<EtcdMember> members, members_of(etcd));
    EtcdMember own;
    Status done;
    switch (member_step(members, peer, data, &own)) {
      case MemberStep::go_on: return members;
      case MemberStep::remove:
        report.line("etcd: removing the member that this machine was before");
        done = etcd.post_once("/v3/cluster/member/remove", {{"ID", own.id}});
        break;
      case MemberStep::add:
        report.line("etcd: adding this machine as a learner");
        done = etcd.post_once("/v3/cluster/member/add", {{"peerURLs", Json::array({peer})}, {"isLearner", true}});
        break;
    }
    if (!done.ok()) {
      last = done.error();
      usleep(kPauseMs * 1000);
    }
  }
  return last;
}

Status promote_member(Api& etcd, const std::string& peer, int patience_ms, const Report& report) {
  const int64_t begin = monotonic_ms();
  int64_t told = begin;
  while (monotonic_ms() - begin < patience_ms) {
    TRY_LET(const std::vector<EtcdMember> members, members_of(etcd));
    EtcdMember own;
    if (member_step(members, peer, true, &own) == MemberStep::add) return fail(Code::not_found, "etcd.promote");
    if (!own.learner) return success();
    if (!own.name.empty()) {  // it has started
      (void)etcd.post_once("/v3/cluster/member/promote", {{"ID", own.id}});  // the next round sees what became of it
    }
    if (monotonic_ms() - told >= kQuietMs) {
      told = monotonic_ms();
      report.line("etcd: " + std::string(own.name.empty() ? "starting" : "catching up") + ", " +
                  std::to_string((told - begin) / 1000) + " s");
    }
    usleep(kPauseMs * 1000);
  }
  return fail(Code::timeout, "etcd.promote");
}

bool kubeadm_adds_learners(const KubernetesVersion& version) { return version.minor >= kLearnersMinor; }

Status join_etcd(const ClusterConfig& cluster, const NodePlace& node, const std::string& endpoint, Monitor& monitor,
                 const Report& report) {
  report.step("joining etcd");
  // A client of the group system:masters, whose files kubeadm has just written.
  TRY_LET(Api api, Api::open(Access::with_certificate("https://" + endpoint, kCaFile,
                                                      std::string(kPki) + "apiserver-kubelet-client.crt",
                                                      std::string(kPki) + "apiserver-kubelet-client.key"),
                             report));
  TRY_LET(std::vector<std::string> servers, other_members(api, node));
  TRY_LET(Api etcd, open_etcd(std::move(servers), report));
  const std::string peer = peer_url(node.address);
  TRY_LET(const std::vector<EtcdMember> members, ensure_member(etcd, peer, exists(kData), report));
  if (!exists(kManifest)) {
    TRY(write_manifest(cluster, node, initial_cluster(members, peer, node.name), monitor, report));
  }
  return promote_member(etcd, peer, kPromoteMs, report);
}

}  // namespace cstl::kubernetes
