#include "svc/nodenetwork/inventory.h"

namespace cstl {
namespace {

template <typename Facts>
Result<bool> put(std::map<std::string, Facts>& known, const nlohmann::json& object,
                 Result<Facts> (*parse)(const nlohmann::json&)) {
  const std::string name = object_name(object);
  auto facts = parse(object);
  if (!facts.ok()) {
    known.erase(name);
    return facts.error();
  }
  auto found = known.find(name);
  if (found != known.end()) {
    if (found->second == *facts) return false;
    found->second = std::move(*facts);
    return true;
  }
  if (known.size() == kMaxNodes) return fail(Code::too_long, "inventory.nodes");
  known.emplace(name, std::move(*facts));
  return true;
}

}  // namespace

Result<bool> Inventory::put_node(const nlohmann::json& object) { return put(nodes_, object, parse_node); }
Result<bool> Inventory::put_record(const nlohmann::json& object) { return put(records_, object, parse_record); }

}  // namespace cstl
