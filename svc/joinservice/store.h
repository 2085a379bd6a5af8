// Where a joinservice keeps its records: the file store (line mode, file_store.h) or Kubernetes (kubernetes_store.h).
#pragma once

#include <functional>

#include "svc/joinservice/nodes.h"

namespace cstl {

class Store {
 public:
  virtual ~Store() = default;
  // What is on record, as far as this process knows.
  virtual const Nodes& nodes() const = 0;
  // Writes `record`; `done` is called once, from here or later. On error the record does not count.
  // Errors: those of the implementation.
  virtual void save(const NodeRecord& record, std::function<void(Status)> done) = 0;
};

}  // namespace cstl
