#include "svc/kubernetes/events.h"

namespace cstl::kubernetes {

namespace {
constexpr size_t kMaxName = 1024;
constexpr size_t kMaxContinue = 64 << 10;

// A string member of at most `max` bytes; empty when it is missing.
Result<std::string> optional_text(const nlohmann::json& object, const char* name, size_t max, const char* site) {
  auto member = object.find(name);
  if (member == object.end() || member->is_null()) return std::string();
  const std::string* text = member->get_ptr<const std::string*>();
  if (text == nullptr || text->size() > max) return fail(Code::api_garbage, site);
  return *text;
}

Result<const nlohmann::json*> object_member(const nlohmann::json& object, const char* name, const char* site) {
  if (!object.is_object()) return fail(Code::api_garbage, site);
  auto member = object.find(name);
  if (member == object.end() || !member->is_object()) return fail(Code::api_garbage, site);
  return &*member;
}
}  // namespace

Status LineSplitter::feed(Bytes data, std::vector<std::string>& lines) {
  std::string_view text = data.text();
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view piece = text.substr(0, end);
    if (piece.size() > max_ - rest_.size()) return fail(Code::api_garbage, "kubernetes.line_length");
    rest_ += piece;
    if (end == std::string_view::npos) break;
    if (!rest_.empty()) lines.push_back(std::move(rest_));
    rest_.clear();
    text.remove_prefix(end + 1);
  }
  return success();
}

Result<ObjectKey> key_of(const nlohmann::json& object) {
  TRY_LET(const nlohmann::json* metadata, object_member(object, "metadata", "kubernetes.metadata"));
  ObjectKey key;
  TRY_LET(key.name, optional_text(*metadata, "name", kMaxName, "kubernetes.name"));
  if (key.name.empty()) return fail(Code::api_garbage, "kubernetes.name");
  TRY_LET(std::string space, optional_text(*metadata, "namespace", kMaxName, "kubernetes.namespace"));
  if (!space.empty()) key.name = space + "/" + key.name;
  TRY_LET(key.uid, optional_text(*metadata, "uid", kMaxName, "kubernetes.uid"));
  TRY_LET(key.version, optional_text(*metadata, "resourceVersion", kMaxName, "kubernetes.resource_version"));
  return key;
}

Result<Event> parse_event(std::string_view line, size_t max_bytes, int max_depth) {
  auto json = parse_json(line, max_bytes, max_depth);
  if (!json) return fail(Code::api_garbage, json.error().site);
  TRY_LET(const nlohmann::json* object, object_member(*json, "object", "kubernetes.event_object"));
  TRY_LET(std::string type, optional_text(*json, "type", 16, "kubernetes.event_type"));
  Event event;
  if (type == "ADDED") {
    event.kind = EventKind::added;
  } else if (type == "MODIFIED") {
    event.kind = EventKind::modified;
  } else if (type == "DELETED") {
    event.kind = EventKind::deleted;
  } else if (type == "BOOKMARK") {
    event.kind = EventKind::bookmark;
    TRY_LET(const nlohmann::json* metadata, object_member(*object, "metadata", "kubernetes.bookmark"));
    TRY_LET(event.key.version, optional_text(*metadata, "resourceVersion", kMaxName, "kubernetes.bookmark"));
    if (event.key.version.empty()) return fail(Code::api_garbage, "kubernetes.bookmark");
  } else if (type == "ERROR") {
    auto code = object->find("code");
    if (code != object->end() && code->is_number_unsigned()) {
      auto number = code->get<uint64_t>();
      event.status = number < 1000 ? static_cast<int>(number) : 0;
    }
  } else {
    return fail(Code::api_garbage, "kubernetes.event_type");
  }
  if (event.kind <= EventKind::deleted) {
    TRY_LET(event.key, key_of(*object));
  }
  event.object = *object;
  return event;
}

Result<Page> read_page(const nlohmann::json& answer) {
  TRY_LET(const nlohmann::json* metadata, object_member(answer, "metadata", "kubernetes.list_metadata"));
  Page page;
  TRY_LET(page.version, optional_text(*metadata, "resourceVersion", kMaxName, "kubernetes.list_version"));
  TRY_LET(page.next, optional_text(*metadata, "continue", kMaxContinue, "kubernetes.list_continue"));
  if (page.version.empty()) return fail(Code::api_garbage, "kubernetes.list_version");
  auto items = answer.find("items");
  static const nlohmann::json none = nlohmann::json::array();
  if (items == answer.end() || items->is_null()) {
    page.items = &none;
    return page;
  }
  if (!items->is_array()) return fail(Code::api_garbage, "kubernetes.list_items");
  page.items = &*items;
  return page;
}

std::string printable_text(std::string_view text) {
  std::string out(text.substr(0, 300));
  for (char& c : out) c = c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}

std::string status_message(const nlohmann::json& status) {
  if (!status.is_object()) return "";
  for (const char* name : {"message", "reason"}) {
    auto member = status.find(name);
    if (member == status.end()) continue;
    const std::string* text = member->get_ptr<const std::string*>();
    if (text != nullptr && !text->empty()) return printable_text(*text);
  }
  return "";
}

}  // namespace cstl::kubernetes
