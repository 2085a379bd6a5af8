// What the API told so far about Nodes and CstlNodes, bounded, and the state that follows from it. An object that
// cannot be read counts as absent. No I/O, no logging; nothing is secret.
#pragma once

#include "svc/nodenetwork/desired.h"

namespace cstl {

class Inventory {
 public:
  // True if it changes what is known. Errors: bad_value (the object is malformed: an older version of it is forgotten),
  // too_long (kMaxNodes are known: the object is not kept).
  Result<bool> put_node(const nlohmann::json& object);
  Result<bool> put_record(const nlohmann::json& object);
  bool remove_node(const nlohmann::json& object) { return nodes_.erase(object_name(object)) != 0; }
  bool remove_record(const nlohmann::json& object) { return records_.erase(object_name(object)) != 0; }

  DesiredState desired(const std::string& own_name, const PodRange& range) const {
    return desired_state(nodes_, records_, own_name, range);
  }
  size_t nodes() const { return nodes_.size(); }

 private:
  std::map<std::string, NodeFacts> nodes_;
  std::map<std::string, RecordFacts> records_;
};

}  // namespace cstl
