// What a list and a watch of the Kubernetes API send, read strictly: lines of a stream, the object in each, pages.
// Total and bounded; only the metadata that a watch lives from is checked, the rest of an object is its reader's.
// Errors are api_garbage unless said otherwise.
#pragma once

#include <string>
#include <vector>

#include "crypto/base/bytes.h"
#include "crypto/base/json.h"

namespace cstl::kubernetes {

// Cuts a stream into lines. What has no end yet is kept, at most `max` bytes of it.
class LineSplitter {
 public:
  explicit LineSplitter(size_t max) : max_(max) {}
  // Appends the lines that `data` completes, without their ends; empty lines are skipped. Errors: api_garbage (a line
  // longer than max); nothing may be fed after that.
  Status feed(Bytes data, std::vector<std::string>& lines);

 private:
  size_t max_;
  std::string rest_;
};

struct ObjectKey {
  std::string name;         // namespace "/" name, or name
  std::string uid;          // empty for kinds without one
  std::string version;      // resourceVersion
};
Result<ObjectKey> key_of(const nlohmann::json& object);

enum class EventKind : uint8_t { added, modified, deleted, bookmark, error };

struct Event {
  EventKind kind = EventKind::error;
  ObjectKey key;            // bookmark: only the version
  nlohmann::json object;
  int status = 0;           // error: the code that it carries, 0 if none
};
// One line of a watch.
Result<Event> parse_event(std::string_view line, size_t max_bytes, int max_depth);

// One page of a list. `items` borrows from the answer.
struct Page {
  const nlohmann::json* items = nullptr;  // an array of objects
  std::string version;
  std::string next;                       // continue token, empty on the last page
};
Result<Page> read_page(const nlohmann::json& answer);

// The member `message` (or else `reason`) of a Status: printable ASCII, at most 300 bytes; empty if there is none.
std::string status_message(const nlohmann::json& status);
// Printable ASCII, at most 300 bytes.
std::string printable_text(std::string_view text);

}  // namespace cstl::kubernetes
