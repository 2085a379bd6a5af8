#include "svc/joinservice/kubernetes_store.h"

#include "crypto/base/fd.h"
#include "svc/joinservice/node_object.h"

namespace cstl {

namespace {
using kubernetes::Change;
using kubernetes::Json;
constexpr int kShowMs = 10'000;   // until the watch shows what was written
constexpr int kSweepMs = 500;

std::string path_of(const std::string& name) { return std::string(kNodesPath) + "/" + kubernetes::path_segment(name); }
bool decimal(const std::string& text) {
  return !text.empty() && text.size() < 20 && text.find_first_not_of("0123456789") == std::string::npos;
}
}  // namespace

bool version_reached(const std::string& seen, const std::string& wanted) {
  if (seen == wanted) return !seen.empty();
  if (!decimal(seen) || !decimal(wanted)) return false;
  return seen.size() != wanted.size() ? seen.size() > wanted.size() : seen > wanted;
}

KubernetesStore::KubernetesStore(kubernetes::Client& client, Loop& loop, StoreHooks hooks)
    : client_(client), loop_(loop), hooks_(std::move(hooks)) {
  timer_ = loop_.every(kSweepMs, [this] { sweep(); });
}

KubernetesStore::~KubernetesStore() {
  client_.cancel(watch_);
  loop_.cancel(timer_);
}

void KubernetesStore::start() {
  kubernetes::Watcher watcher;
  watcher.on_object = [this](Change change, const Json& object) {
    if (change == Change::deleted) {
      forget(object);
    } else {
      take(object, true);
    }
  };
  watcher.on_synced = [this] {
    synced_ = true;
    if (hooks_.on_synced) hooks_.on_synced(nodes_.size());
  };
  watcher.on_error = [this](const Error& error) {
    if (hooks_.on_problem) hooks_.on_problem("nodes.watch", error, client_.problem());
  };
  watch_ = client_.watch(kNodesPath, std::move(watcher));
}

void KubernetesStore::take(const Json& object, bool watched) {
  const std::string name = object_meta(object, "name");
  const std::string version = object_meta(object, "resourceVersion");
  if (name.empty()) return;  // no API server sends one
  auto record = record_of_object(object);
  if (record.ok()) {
    nodes_.put(name, std::move(*record));
  } else {
    nodes_.put_damaged(name, disk_of_object(object));
    if (hooks_.on_damaged && watched) hooks_.on_damaged(name, record.error());
  }
  if (!watched) return;
  versions_[name].shown = version;
  learn(name, version);
  settle(name);
}

void KubernetesStore::learn(const std::string& name, const std::string& version) {
  std::string& newest = versions_[name].newest;
  if (!version_reached(newest, version)) newest = version;
}

// The deletion may be of an earlier object of this name than the one that was just written.
void KubernetesStore::forget(const Json& object) {
  const std::string name = object_meta(object, "name");
  const std::string version = object_meta(object, "resourceVersion");  // empty: vanished while no watch was open
  nodes_.erase(name);
  versions_.erase(name);
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->record.name != name || (!version.empty() && !version_reached(version, it->version))) {
      ++it;
      continue;
    }
    auto done = std::move(it->done);
    it = waiting_.erase(it);
    done(fail(Code::api_conflict, "store.deleted"));
  }
}

void KubernetesStore::save(const NodeRecord& record, std::function<void(Status)> done) {
  if (!nodes_.has(record.name) && nodes_.full()) return done(fail(Code::too_long, "store.full"));
  const NodeRecord* before = nodes_.find_name(record.name);
  Written entry{record, before != nullptr ? std::optional<NodeRecord>(*before) : std::nullopt, "",
                monotonic_ms() + kShowMs, std::move(done)};
  auto answered = [this, entry](Result<Json> answer) { written(entry, std::move(answer)); };
  auto version = versions_.find(record.name);
  if (version == versions_.end()) {
    client_.create_object(kNodesPath, object_of_record(record, ""), answered);
  } else {
    client_.replace(path_of(record.name), object_of_record(record, version->second.newest), answered);
  }
}

void KubernetesStore::written(Written entry, Result<Json> answer) {
  if (answer.code() == Code::api_conflict || answer.code() == Code::api_not_found) {
    auto done = std::move(entry.done);
    return reread(entry.record.name, [done](Status status) {
      done(status.ok() ? Status(fail(Code::api_conflict, "store.changed")) : status);
    });
  }
  if (!answer.ok()) return entry.done(answer.error());
  entry.version = object_meta(*answer, "resourceVersion");
  if (entry.version.empty()) return entry.done(fail(Code::api_garbage, "store.version"));
  const std::string name = entry.record.name;
  learn(name, entry.version);
  waiting_.push_back(std::move(entry));
  settle(name);
}

void KubernetesStore::reread(const std::string& name, std::function<void(Status)> done) {
  client_.get(path_of(name), [this, name, done](Result<Json> answer) {
    if (answer.code() == Code::api_not_found) {
      nodes_.erase(name);
      versions_.erase(name);
      return done(success());
    }
    if (!answer.ok()) return done(answer.error());
    take(*answer, false);
    learn(name, object_meta(*answer, "resourceVersion"));
    done(success());
  });
}

Status KubernetesStore::claims(const Written& entry) const {
  const NodeRecord& record = entry.record;
  const std::optional<NodeRecord>& before = entry.before;
  Nodes::Claims taken = nodes_.claimed_by_others(record.name, record);
  if (taken.disk && !(before && before->disk == record.disk)) return fail(Code::disk_taken, "store.disk");
  if (taken.identity && !before) return fail(Code::node_differs, "store.identity");
  if (taken.address && !(before && before->address == record.address)) return fail(Code::address_taken, "store.address");
  if (taken.wireguard && !(before && before->wireguard_key == record.wireguard_key)) {
    return fail(Code::key_taken, "store.wireguard");
  }
  return success();
}

void KubernetesStore::settle(const std::string& name) {
  auto seen = versions_.find(name);
  if (seen == versions_.end()) return;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->record.name != name || !version_reached(seen->second.shown, it->version)) {
      ++it;
      continue;
    }
    Written entry = std::move(*it);
    it = waiting_.erase(it);
    Status status = claims(entry);
    if (!status.ok()) take_back(entry);
    entry.done(status);
  }
}

void KubernetesStore::take_back(const Written& entry) {
  auto answered = [this](Result<Json> answer) {
    if (!answer.ok() && hooks_.on_problem) hooks_.on_problem("nodes.take_back", answer.error(), client_.problem());
  };
  if (entry.before) {
    client_.replace(path_of(entry.record.name), object_of_record(*entry.before, entry.version), answered);
  } else {
    client_.remove(path_of(entry.record.name), answered);
  }
}

void KubernetesStore::confirm(const std::string& name, std::function<void(Result<NodeRecord>)> done) {
  reread(name, [this, name, done](Status status) {
    if (!status.ok()) return done(status.error());
    if (nodes_.damaged_name(name)) return done(fail(Code::record_malformed, "store.confirm"));
    const NodeRecord* record = nodes_.find_name(name);
    if (record == nullptr) return done(fail(Code::unknown_node, "store.confirm"));
    done(*record);
  });
}

void KubernetesStore::attested(const std::string& name, int64_t now) {
  client_.merge_patch(path_of(name) + "/status", attestation_patch(now), [this](Result<Json> answer) {
    if (!answer.ok() && hooks_.on_problem) hooks_.on_problem("nodes.attested", answer.error(), client_.problem());
  });
}

void KubernetesStore::sweep() {
  int64_t now = monotonic_ms();
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->deadline > now) {
      ++it;
      continue;
    }
    auto done = std::move(it->done);
    it = waiting_.erase(it);
    done(fail(Code::timeout, "store.watch"));
  }
}

}  // namespace cstl
