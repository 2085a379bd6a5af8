#include "svc/joinservice/store.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "crypto/base/fd.h"
#include "crypto/base/json.h"

namespace cstl {

namespace {
constexpr const char* kFormat = "node/1";
constexpr size_t kFields = 7;
constexpr size_t kMaxSetId = 64;
constexpr std::string_view kSuffix = ".json";

Result<std::string> text_of(const nlohmann::json& object, const char* key) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return fail(Code::record_malformed, key);
  return found->get_ref<const std::string&>();
}

bool valid_set_id(std::string_view id) {
  if (id.empty() || id.size() > kMaxSetId) return false;
  return id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == std::string_view::npos;
}
}  // namespace

Result<NodeRecord> NodeRecord::parse(std::string_view json) {
  TRY_LET(nlohmann::json object, parse_json(json, kMaxNodeRecord, 4));
  if (!object.is_object() || object.size() != kFields) return fail(Code::record_malformed, "record.fields");
  TRY_LET(std::string format, text_of(object, "cstl"));
  if (format != kFormat) return fail(Code::record_malformed, "record.format");
  NodeRecord out;
  TRY_LET(std::string disk, text_of(object, "disk"));
  auto uuid = parse_uuid(disk);
  if (!uuid.ok()) return fail(Code::record_malformed, "record.disk");
  out.disk = *uuid;
  TRY_LET(std::string identity, text_of(object, "identity"));
  if (!from_hex(identity, out.identity).ok()) return fail(Code::record_malformed, "record.identity");
  TRY_LET(std::string role, text_of(object, "role"));
  auto known = role_from_name(role);
  if (!known.ok()) return fail(Code::record_malformed, "record.role");
  out.role = *known;
  TRY_LET(out.name, text_of(object, "name"));
  if (!valid_node_name(out.name)) return fail(Code::record_malformed, "record.name");
  TRY_LET(out.reference_set, text_of(object, "reference_set"));
  if (!valid_set_id(out.reference_set)) return fail(Code::record_malformed, "record.reference_set");
  auto first = object.find("first_joined");
  if (first == object.end() || !first->is_number_unsigned()) return fail(Code::record_malformed, "record.first_joined");
  uint64_t seconds = first->get<uint64_t>();
  if (seconds > INT64_MAX) return fail(Code::record_malformed, "record.first_joined");
  out.first_joined = static_cast<int64_t>(seconds);
  return out;
}

std::string NodeRecord::to_json() const {
  nlohmann::json object = {{"cstl", kFormat},
                           {"disk", uuid_text(disk)},
                           {"identity", to_hex(identity)},
                           {"role", role_name(role)},
                           {"name", name},
                           {"reference_set", reference_set},
                           {"first_joined", static_cast<uint64_t>(first_joined)}};
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string Store::file_of(const Uuid& disk) const { return folder_ + "/" + uuid_text(disk) + std::string(kSuffix); }

Result<Store> Store::open(const std::string& folder, std::vector<std::string>* damaged) {
  Store store;
  store.folder_ = folder + "/nodes";
  if (mkdir(store.folder_.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("store.folder");
  std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(store.folder_.c_str()), closedir);
  if (listing == nullptr) return fail_errno("store.open");
  for (;;) {
    errno = 0;
    dirent* entry = readdir(listing.get());
    if (entry == nullptr && errno != 0) return fail_errno("store.read");
    if (entry == nullptr) return store;
    std::string name = entry->d_name;
    // Anything else is no record: "." and "..", a temporary file of a write that a power cut ended.
    size_t stem = name.size() - std::min(name.size(), kSuffix.size());
    if (stem == 0 || name.compare(stem, kSuffix.size(), kSuffix) != 0) continue;
    auto disk = parse_uuid(std::string_view(name).substr(0, stem));
    if (!disk.ok()) {
      damaged->push_back(name);
      continue;
    }
    if (store.nodes_.size() >= kMaxNodes) return fail(Code::too_long, "store.nodes");
    std::optional<NodeRecord>& slot = store.nodes_[*disk];
    auto text = read_file((store.folder_ + "/" + name).c_str(), kMaxNodeRecord);
    if (text.ok()) {
      auto record = NodeRecord::parse(Bytes(*text).text());
      if (record.ok() && record->disk == *disk) slot = std::move(*record);
    }
    if (!slot) damaged->push_back(name);
  }
}

const NodeRecord* Store::find(const Uuid& disk) const {
  auto found = nodes_.find(disk);
  return found == nodes_.end() || !found->second ? nullptr : &*found->second;
}

bool Store::damaged(const Uuid& disk) const {
  auto found = nodes_.find(disk);
  return found != nodes_.end() && !found->second;
}

const NodeRecord* Store::find_identity(const PlatformIdentity& identity) const {
  for (const auto& node : nodes_) {
    if (node.second && node.second->identity == identity) return &*node.second;
  }
  return nullptr;
}

Status Store::save(const NodeRecord& record) {
  if (damaged(record.disk)) return fail(Code::record_malformed, "store.save");
  if (nodes_.count(record.disk) == 0 && nodes_.size() >= kMaxNodes) return fail(Code::too_long, "store.full");
  TRY(write_file_durably(file_of(record.disk).c_str(), record.to_json()));
  nodes_[record.disk] = record;
  for (auto it = nodes_.begin(); it != nodes_.end();) {
    bool stale = it->second && it->second->identity == record.identity && it->first != record.disk;
    // A file that cannot be removed stays, in memory too: the next join of this machine tries again.
    it = stale && unlink(file_of(it->first).c_str()) == 0 ? nodes_.erase(it) : std::next(it);
  }
  return success();
}

}  // namespace cstl
