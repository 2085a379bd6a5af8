// cstl-nodenetwork: the pods' network of a node. Watches Nodes and CstlNodes, and keeps WireGuard, routes, packet
// filter and CNI configuration as svc/nodenetwork/desired.h says.
#include <set>

#include "crypto/base/fd.h"
#include "crypto/base/json_object.h"
#include "crypto/base/log.h"
#include "svc/kubernetes/api_metrics.h"
#include "svc/nodenetwork/confine.h"
#include "svc/nodenetwork/key_file.h"
#include "svc/nodenetwork/network_metrics.h"
#include "svc/nodenetwork/reconcile.h"
#include "svc/run/loop.h"
#include "svc/run/service.h"

namespace cstl {
namespace {

constexpr std::initializer_list<Option> kOptions = {
    {"--name", "NAME", nullptr, "the node's name"},
    {"--address", "ADDRESS", "", "the node's own address, where an API server may listen"},
    {"--cluster", "FILE", "/etc/cstl/cluster/cluster.json", "the cluster's configuration"},
    {"--key", "FILE", "/run/cstl/state/wireguard.key", "this node's WireGuard private key"},
    {"--cni", "FOLDER", "/etc/cni/net.d", "where the CNI configuration goes"},
    kMetricsOption,
    kLogOption,
};
constexpr const char* kTokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr size_t kMaxCluster = 64 * 1024;
constexpr int kReconcileMs = 30'000;
constexpr int kSoonMs = 100;       // changes come in groups
constexpr int kRetryMs = 2'000;

struct ClusterFacts {
  PodRange pods;
  Endpoint api;
};

// Of a cluster that wants this service.
Result<ClusterFacts> cluster_facts(const std::string& path) {
  TRY_LET(std::vector<uint8_t> text, read_file(path.c_str(), kMaxCluster));
  TRY_LET(nlohmann::json cluster, parse_json(Bytes(text).text(), kMaxCluster));
  std::string problem;
  const JsonObject object(cluster, Code::config_malformed, "", &problem);
  TRY(object.literal("cstl", "cluster/1"));
  if (object.has("network")) TRY(object.literal("network", "wireguard"));
  TRY_LET(std::string_view range, object.text("pod_cidr", 64));
  TRY_LET(std::string_view endpoint, object.text("endpoint", 64));
  ClusterFacts out;
  TRY_LET(out.pods, parse_pod_range(range));
  TRY_LET(out.api, parse_endpoint(endpoint));
  return out;
}

// On a new node the API's Service has no address until kube-proxy has written its rules, which takes tens of seconds; the
// cluster's endpoint can be reached at once. While that one is away: this node's own API server, if it has one, and then
// the Service, behind which all of them are. The API server's certificate names each.
Result<kubernetes::Access> api_access(const Endpoint& endpoint, const std::string& own_address) {
  TRY_LET(kubernetes::Access access, kubernetes::Access::in_cluster());
  if (!own_address.empty()) TRY(access.prefer_node(own_address));
  access.prefer(endpoint);
  return access;
}

class Service {
 public:
  Service(Loop& loop, kubernetes::Client& client, Reconciler reconciler, Metrics& metrics)
      : loop_(loop), client_(client), reconciler_(std::move(reconciler)), metrics_(metrics, reconciler_) {}

  void start() {
    watch("/api/v1/nodes", "Node", &nodes_synced_, &Inventory::put_node, &Inventory::remove_node);
    watch("/apis/cstl.dev/v1alpha1/cstlnodes", "CstlNode", &records_synced_, &Inventory::put_record,
          &Inventory::remove_record);
    loop_.every(kReconcileMs, [this] { reconcile(); });
  }

  const char* not_ready() const { return metrics_.not_ready(); }

 private:
  void watch(const char* path, const char* kind, bool* synced, Result<bool> (Inventory::*put)(const kubernetes::Json&),
             bool (Inventory::*remove)(const kubernetes::Json&)) {
    kubernetes::Watcher watcher;
    watcher.on_object = [this, kind, put, remove](kubernetes::Change change, const kubernetes::Json& object) {
      if (change == kubernetes::Change::deleted) {
        if ((inventory_.*remove)(object)) soon(kSoonMs);
        return;
      }
      auto changed = (inventory_.*put)(object);
      if (!changed.ok()) log_error("object.refused", changed.error(), {{"kind", kind}, {"name", object_name(object)}});
      if (!changed.ok() || *changed) soon(kSoonMs);
    };
    watcher.on_synced = [this, synced] {
      *synced = true;
      soon(kSoonMs);
    };
    watcher.on_error = [this, kind](const Error& error) {
      log_error("watch.failed", error, {{"kind", kind}, {"says", client_.problem()}});
    };
    client_.watch(path, std::move(watcher));
  }

  void soon(int delay_ms) {
    if (pending_) return;
    pending_ = true;
    loop_.after(delay_ms, [this] {
      pending_ = false;
      reconcile();
    });
  }

  // Not before both lists are there: a missing half would take peers away that are right.
  void reconcile() {
    if (!nodes_synced_ || !records_synced_) return;
    auto round = reconciler_.run(inventory_);
    metrics_.round(round);
    if (!round.ok()) {
      log_error("network.failed", round.error());
      soon(kRetryMs);
      return;
    }
    tell(*round);
  }

  void tell(const Round& round) {
    tell_own(round);
    std::set<std::pair<std::string, Skip>> skipped;
    for (const Skipped& skip : round.state.skipped) {
      skipped.insert({skip.node, skip.reason});
      if (skipped_.count({skip.node, skip.reason}) != 0) continue;
      log_warning("node.skipped", {{"node", skip.node},
                                   {"reason", skip_name(skip.reason)},
                                   {"because", skip_what(skip.reason)}});
    }
    skipped_ = std::move(skipped);
    const Applied& a = round.applied;
    if (a.any()) {
      log_info("network.applied", {{"peers", static_cast<int64_t>(round.state.peers.size())},
                                   {"peers_changed", static_cast<int64_t>(a.peers_changed)},
                                   {"peers_removed", static_cast<int64_t>(a.peers_removed)},
                                   {"routes_added", static_cast<int64_t>(a.routes_added)},
                                   {"routes_removed", static_cast<int64_t>(a.routes_removed)},
                                   {"interface", a.created ? "created" : "kept"},
                                   {"filter", a.firewall ? "written" : "kept"},
                                   {"mtu", static_cast<int64_t>(a.mtu)}});
    }
    if (round.cni_written) log_info("cni.written", {{"range", range_text(round.state.own->pods)}});
    if (round.key_differs && !key_differed_) {
      log_warning("key.differs", {{"because", "this node's CstlNode holds another key: others cannot reach it"}});
    }
    key_differed_ = round.key_differs;
  }

  void tell_own(const Round& round) {
    std::string why;
    if (!round.state.own) why = round.state.own_problem ? skip_name(*round.state.own_problem) : "no_node";
    if (why == own_why_) return;
    own_why_ = why;
    if (!why.empty()) log_warning("node.not_ready", {{"reason", why}});
  }

  Loop& loop_;
  kubernetes::Client& client_;
  Reconciler reconciler_;
  NetworkMetrics metrics_;
  Inventory inventory_;
  bool nodes_synced_ = false, records_synced_ = false, pending_ = false, key_differed_ = false;
  std::set<std::pair<std::string, Skip>> skipped_;  // that were told
  std::string own_why_;                             // the last that was told
};

Status serve(const Arguments& arguments, Monitor& monitor) {
  std::string setting;
  if (Status settings = check_settings(&setting); !settings.ok()) {
    log_error("setting.wrong", settings.error(), {{"setting", "net/ipv4/" + setting}, {"must_be", "1"}});
    return settings;
  }
  TRY_LET(const ClusterFacts cluster, cluster_facts(arguments.get("--cluster")));
  TRY_LET(WireguardSecret key, read_private_key(arguments.get("--key").c_str()));
  TRY_LET(Network network, Network::open());
  TRY_LET(kubernetes::Access access, api_access(cluster.api, arguments.get("--address")));
  TRY_LET(std::unique_ptr<kubernetes::Client> client, kubernetes::Client::create(std::move(access)));
  Reconciler reconciler(std::move(network), std::move(key), arguments.get("--name"), cluster.pods, arguments.get("--cni"));

  TRY_LET(LockdownReport report, confine({{"$token", kTokenFolder}, {"$cni", arguments.get("--cni").c_str()}}));
  TRY(reconciler.protect());
  Loop loop;
  loop.add(*client);
  kubernetes::count_requests(*client, monitor.metrics);
  Service service(loop, *client, std::move(reconciler), monitor.metrics);
  service.start();
  monitor.serve(loop, [&service] { return service.not_ready(); });
  log_info("service.ready", {{"pods", range_text(cluster.pods)}, {"metrics", monitor.endpoint()},
                             {"landlock", report.landlock_abi}});
  return loop.run();
}

}  // namespace
}  // namespace cstl

int main(int argc, char** argv) {
  return cstl::service_main(
      argc, argv,
      {"cstl-nodenetwork", "Encrypts the traffic between this node's pods and those of attested nodes.", cstl::kOptions,
       cstl::serve});
}
