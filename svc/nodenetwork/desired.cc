#include "svc/nodenetwork/desired.h"

#include <algorithm>

#include "crypto/base/base64.h"
#include "crypto/base/utc.h"

namespace cstl {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxText = 64;                  // an address, a range, a key or a date
constexpr size_t kMaxListed = 64;                // entries of status.addresses that are looked at

struct {
  const char* name;
  const char* what;
} constexpr kReasons[kSkips] = {
    {"no_record", "it has no CstlNode: it never joined by attestation"},
    {"no_key", "its CstlNode holds no WireGuard key"},
    {"bad_key", "its CstlNode's WireGuard key is not one"},
    {"bad_address", "its CstlNode's address is not one"},
    {"address_differs", "its Node claims another address than its CstlNode records"},
    {"no_range", "its Node has no podCIDR yet"},
    {"bad_range", "its podCIDR is not an IPv4 network from /8 to /30"},
    {"outside", "its podCIDR lies outside the cluster's pod range"},
    {"overlap", "its podCIDR overlaps that of this node or of an older one"},
    {"same_key", "its WireGuard key is that of this node or of an older one"},
};

// The member of an object; nullptr when there is none, or no object.
const Json* find(const Json* object, const char* name) {
  if (!object || !object->is_object()) return nullptr;
  auto found = object->find(name);
  return found == object->end() ? nullptr : &*found;
}

// A member that is a text of at most kMaxText bytes; a missing or null one is empty.
Result<std::string> short_text(const Json* object, const char* name, const char* site) {
  const Json* value = find(object, name);
  if (!value || value->is_null()) return std::string();
  const std::string* text = value->get_ptr<const std::string*>();
  if (!text || text->size() > kMaxText) return fail(Code::bad_value, site);
  return *text;
}

bool name_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; }

// A Node with its CstlNode, judged; the two last checks need the others.
Result<OwnNode> judge(const NodeFacts& node, const RecordFacts* record, const PodRange& range, Skip* reason) {
  const auto refuse = [&](Skip why) {
    *reason = why;
    return fail(Code::mismatch, "desired.node");
  };
  OwnNode out;
  if (!record) return refuse(Skip::no_record);
  if (record->key.empty()) return refuse(Skip::no_key);
  auto key = from_base64(record->key, out.key.size());
  if (!key.ok() || key->size() != out.key.size()) return refuse(Skip::bad_key);
  std::copy(key->begin(), key->end(), out.key.begin());
  if (out.key == WireguardKey{}) return refuse(Skip::bad_key);

  auto address = parse_node_address(record->address);
  if (!address.ok()) return refuse(Skip::bad_address);
  out.address = *address;
  const bool claimed = std::any_of(node.addresses.begin(), node.addresses.end(), [&](const std::string& text) {
    auto parsed = parse_node_address(text);
    return parsed.ok() && *parsed == out.address;
  });
  if (!claimed) return refuse(Skip::address_differs);

  if (node.pod_range.empty()) return refuse(Skip::no_range);
  auto pods = parse_pod_range(node.pod_range);
  if (!pods.ok()) return refuse(Skip::bad_range);
  out.pods = *pods;
  if (!range.holds(out.pods)) return refuse(Skip::outside);
  return out;
}

const RecordFacts* record_of(const std::map<std::string, RecordFacts>& records, const std::string& name) {
  auto found = records.find(name);
  return found == records.end() ? nullptr : &found->second;
}

}  // namespace

const char* skip_name(Skip reason) { return kReasons[static_cast<size_t>(reason)].name; }
const char* skip_what(Skip reason) { return kReasons[static_cast<size_t>(reason)].what; }

std::string object_name(const Json& object) {
  const Json* name = find(find(&object, "metadata"), "name");
  const std::string* text = name ? name->get_ptr<const std::string*>() : nullptr;
  if (!text || text->size() > kMaxObjectName || !std::all_of(text->begin(), text->end(), name_character)) return {};
  return *text;
}

Result<NodeFacts> parse_node(const Json& object) {
  if (object_name(object).empty()) return fail(Code::bad_value, "node.name");
  NodeFacts out;
  TRY_LET(out.created, short_text(find(&object, "metadata"), "creationTimestamp", "node.created"));
  if (!parse_utc(out.created).ok()) return fail(Code::bad_value, "node.created");
  TRY_LET(out.pod_range, short_text(find(&object, "spec"), "podCIDR", "node.pod_range"));
  const Json* addresses = find(find(&object, "status"), "addresses");
  if (!addresses || addresses->is_null()) return out;
  if (!addresses->is_array()) return fail(Code::bad_value, "node.addresses");
  size_t looked_at = 0;
  for (const Json& entry : *addresses) {
    if (++looked_at > kMaxListed || out.addresses.size() == kMaxAddresses) break;
    const Json* type = find(&entry, "type");
    if (!type || *type != "InternalIP") continue;
    TRY_LET(std::string text, short_text(&entry, "address", "node.addresses"));
    out.addresses.push_back(std::move(text));
  }
  return out;
}

Result<RecordFacts> parse_record(const Json& object) {
  if (object_name(object).empty()) return fail(Code::bad_value, "cstlnode.name");
  RecordFacts out;
  const Json* spec = find(&object, "spec");
  TRY_LET(out.address, short_text(spec, "address", "cstlnode.address"));
  TRY_LET(out.key, short_text(spec, "wireguardPublicKey", "cstlnode.key"));
  return out;
}

DesiredState desired_state(const std::map<std::string, NodeFacts>& nodes,
                           const std::map<std::string, RecordFacts>& records, const std::string& own_name,
                           const PodRange& range) {
  DesiredState out;
  out.range = range;
  auto own = nodes.find(own_name);
  if (own != nodes.end()) {
    Skip reason{};
    auto judged = judge(own->second, record_of(records, own_name), range, &reason);
    if (judged.ok()) {
      out.own = *judged;
    } else {
      out.own_problem = reason;
    }
  }
  if (!out.own) return out;

  std::vector<const std::pair<const std::string, NodeFacts>*> by_age;
  for (const auto& node : nodes) {
    if (node.first != own_name) by_age.push_back(&node);
  }
  std::stable_sort(by_age.begin(), by_age.end(),  // the map is sorted by name already
                   [](const auto* a, const auto* b) { return a->second.created < b->second.created; });

  // By start of the range: of ranges that do not overlap, only the neighbours can overlap another one.
  std::map<uint32_t, PodRange> taken{{out.own->pods.network, out.own->pods}};
  std::map<WireguardKey, bool> keys{{out.own->key, true}};
  for (const auto* node : by_age) {
    Skip reason{};
    auto judged = judge(node->second, record_of(records, node->first), range, &reason);
    if (judged.ok()) {
      auto after = taken.lower_bound(judged->pods.network);
      const bool overlap = (after != taken.end() && after->second.overlaps(judged->pods)) ||
                           (after != taken.begin() && std::prev(after)->second.overlaps(judged->pods));
      if (!overlap && keys.insert({judged->key, true}).second) {
        taken.insert({judged->pods.network, judged->pods});
        out.peers.push_back({node->first, judged->key, judged->address, judged->pods});
        continue;
      }
      reason = overlap ? Skip::overlap : Skip::same_key;
    }
    out.skipped.push_back({node->first, reason});
  }
  return out;
}

}  // namespace cstl
