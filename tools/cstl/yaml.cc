#include "tools/cstl/yaml.h"

#include <cstdlib>
#include <yaml.h>

namespace cstl::cli {

namespace {
using nlohmann::json;
constexpr int kMaxDepth = 16;

struct Parser {
  yaml_parser_t raw{};
  explicit Parser(std::string_view text) {
    yaml_parser_initialize(&raw);
    yaml_parser_set_input_string(&raw, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Parser() { yaml_parser_delete(&raw); }
  Parser(const Parser&) = delete;
};

struct Event {
  yaml_event_t raw{};
  Event() = default;
  ~Event() { yaml_event_delete(&raw); }
  Event(const Event&) = delete;
};

Error bad(std::string* problem, size_t line, const char* why) {
  *problem = "line " + std::to_string(line + 1) + ": " + why;
  return fail(Code::config_malformed, "yaml");
}

Status next(Parser& parser, Event& event, std::string* problem) {
  if (yaml_parser_parse(&parser.raw, &event.raw) != 1) {
    return bad(problem, parser.raw.problem_mark.line, parser.raw.problem != nullptr ? parser.raw.problem : "not YAML");
  }
  return success();
}

json scalar(const yaml_event_t& event) {
  std::string text(reinterpret_cast<const char*>(event.data.scalar.value), event.data.scalar.length);
  if (event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return text;
  if (text == "true") return true;
  if (text == "false") return false;
  if (text.empty() || text == "null" || text == "~") return nullptr;
  bool digits = text.size() <= 15 && text.find_first_not_of("0123456789") == std::string::npos;
  if (digits && (text.size() == 1 || text[0] != '0')) return std::strtoll(text.c_str(), nullptr, 10);
  return text;
}

Result<json> value(Parser& parser, const Event& first, int depth, std::string* problem) {
  size_t line = first.raw.start_mark.line;
  if (depth > kMaxDepth) return bad(problem, line, "nested too deeply");
  if (first.raw.type == YAML_SCALAR_EVENT) {
    if (first.raw.data.scalar.anchor != nullptr || first.raw.data.scalar.tag != nullptr) {
      return bad(problem, line, "anchors and tags are not supported");
    }
    return scalar(first.raw);
  }
  if (first.raw.type == YAML_SEQUENCE_START_EVENT) {
    json out = json::array();
    for (;;) {
      Event item;
      TRY(next(parser, item, problem));
      if (item.raw.type == YAML_SEQUENCE_END_EVENT) return out;
      TRY_LET(json element, value(parser, item, depth + 1, problem));
      out.push_back(std::move(element));
    }
  }
  if (first.raw.type == YAML_MAPPING_START_EVENT) {
    json out = json::object();
    for (;;) {
      Event key;
      TRY(next(parser, key, problem));
      if (key.raw.type == YAML_MAPPING_END_EVENT) return out;
      if (key.raw.type != YAML_SCALAR_EVENT) return bad(problem, key.raw.start_mark.line, "a key must be a word");
      std::string name(reinterpret_cast<const char*>(key.raw.data.scalar.value), key.raw.data.scalar.length);
      if (out.contains(name)) return bad(problem, key.raw.start_mark.line, "the key stands twice");
      Event item;
      TRY(next(parser, item, problem));
      TRY_LET(json element, value(parser, item, depth + 1, problem));
      out[name] = std::move(element);
    }
  }
  return bad(problem, line, "aliases are not supported");
}

void write(const json& node, int indent, std::string& out) {
  std::string pad(static_cast<size_t>(indent), ' ');
  auto child = [&](const json& element) {
    bool nested = (element.is_object() || element.is_array()) && !element.empty();
    out += nested ? "\n" : " ";
    write(element, indent + 2, out);
  };
  if (node.is_object() && !node.empty()) {
    for (const auto& [key, element] : node.items()) {
      out += pad + key + ":";
      child(element);
    }
  } else if (node.is_array() && !node.empty()) {
    for (const json& element : node) {
      out += pad + "-";
      child(element);
    }
  } else {
    out += node.dump(-1, ' ', true, json::error_handler_t::replace) + "\n";  // JSON scalars are YAML
  }
}
}  // namespace

Result<json> parse_yaml(std::string_view text, std::string* problem) {
  if (text.size() > kMaxYaml) {
    *problem = "the file is larger than 64 KiB";
    return fail(Code::too_long, "yaml.size");
  }
  Parser parser(text);
  json out;
  bool seen = false;
  for (;;) {
    Event event;
    TRY(next(parser, event, problem));
    switch (event.raw.type) {
      case YAML_STREAM_START_EVENT:
      case YAML_DOCUMENT_START_EVENT:
      case YAML_DOCUMENT_END_EVENT: break;
      case YAML_STREAM_END_EVENT:
        if (!seen) return bad(problem, 0, "the file is empty");
        return out;
      default: {
        if (seen) return bad(problem, event.raw.start_mark.line, "a second document");
        TRY_LET(out, value(parser, event, 0, problem));
        seen = true;
      }
    }
  }
}

std::string write_yaml(const json& value) {
  std::string out;
  write(value, 0, out);
  return out;
}

}  // namespace cstl::cli
