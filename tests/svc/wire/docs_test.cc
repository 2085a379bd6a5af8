// Holds docs/wire/*.md against the code: type numbers, maxima, and the size and limit of every field. A message is built
// from its table at its largest and its smallest, and with each length one beyond its limit.
#include <map>
#include <sstream>

#include "attest/atls/messages.h"
#include "attest/evidence.h"
#include "crypto/base/fd.h"
#include "svc/wire/attester.h"
#include "svc/wire/init.h"
#include "svc/wire/join.h"
#include "svc/wire/key.h"
#include "svc/wire/monitor.h"
#include "svc/wire/recover.h"
#include "svc/wire/verify.h"
#include "tests/svc/wire/replay.h"

using namespace cstl;

namespace {
struct Row {
  std::vector<std::string> cells;
};

struct Section {
  std::string page, name;
  int type = -1;
  size_t max = 0;
  std::vector<Row> rows;  // of its table, without the heading
};

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> out;
  std::stringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    size_t first = cell.find_first_not_of(' ');
    size_t last = cell.find_last_not_of(' ');
    out.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return out;
}

// "## `name`: type N, at most M bytes…" opens a section; its table follows.
std::vector<Section> sections() {
  std::vector<Section> out;
  for (const char* page : {"frame", "atls", "evidence", "init", "join", "recover", "verify", "key", "attester", "monitor"}) {
    Result<std::vector<uint8_t>> text = read_file((std::string("docs/wire/") + page + ".md").c_str(), 1 << 20);
    REQUIRE(text.ok());
    std::stringstream in(std::string(text->begin(), text->end()));
    Section* open = nullptr;
    for (std::string line; std::getline(in, line);) {
      if (line.rfind("## ", 0) == 0) {
        open = nullptr;
        char name[64];
        int type = 0;
        unsigned max = 0;
        if (std::sscanf(line.c_str(), "## `%63[a-z_]`: type %d, at most %u bytes", name, &type, &max) == 3) {
          out.push_back({page, name, type, max, {}});
          open = &out.back();
        } else if (std::sscanf(line.c_str(), "## header: %u bytes", &max) == 1) {
          out.push_back({page, "header", 0, max, {}});
          open = &out.back();
        }
      } else if (open != nullptr && line.rfind("| ", 0) == 0) {
        std::vector<std::string> cells = cells_of(line);
        if (cells[0] != "field") open->rows.push_back({cells});
      }
    }
  }
  return out;
}

struct Field {
  std::string name;
  size_t prefix = 0;    // bytes of the length
  size_t integer = 0;   // bytes of an integer
  size_t min = 0, max = 0;
};

Field field_of(const Row& row) {
  REQUIRE(row.cells.size() == 4);
  static const std::map<std::string, std::pair<size_t, size_t>> kTypes = {
      {"u8", {0, 1}}, {"u16", {0, 2}}, {"u32", {0, 4}}, {"bytes", {0, 0}}, {"bytes16", {2, 0}}, {"bytes32", {4, 0}}};
  auto type = kTypes.find(row.cells[1]);
  REQUIRE(type != kTypes.end());
  Field field;
  field.name = row.cells[0];
  field.prefix = type->second.first;
  field.integer = type->second.second;
  unsigned low = 0;
  unsigned high = 0;
  const char* size = row.cells[2].c_str();
  if (std::sscanf(size, "%u–%u", &low, &high) != 2 && std::sscanf(size, "%u or %u", &high, &low) != 2) {
    REQUIRE(std::sscanf(size, "%u", &low) == 1);
    high = low;
  }
  field.min = low;
  field.max = high;
  CHECK((field.prefix != 0) == (row.cells[2].find("–") != std::string::npos));
  if (field.integer != 0) CHECK(field.max == field.integer);
  return field;
}

enum class Size { largest, smallest };

// A row whose size ends in "or none" is left out of the smallest message, where the flag before it is 0.
// Integers are 1 (a role, a class, an action, "with"), or 0 in the smallest where that leaves fields out; bytes are 'a',
// which makes a name. `beyond`: a field that is one longer than its limit.
std::vector<uint8_t> body_of(const Section& section, Size size, const std::string& beyond = "") {
  std::vector<uint8_t> out;
  for (const Row& row : section.rows) {
    if (size == Size::smallest && row.cells[2].find("or none") != std::string::npos) continue;
    Field field = field_of(row);
    if (field.integer != 0) {
      bool zero = size == Size::smallest && field.name.rfind("with_", 0) == 0;
      out.resize(out.size() + field.integer);
      out.back() = zero ? 0 : 1;
      continue;
    }
    size_t length = size == Size::largest ? field.max : field.min;
    if (field.name == beyond) ++length;
    for (size_t i = field.prefix; i > 0; --i) out.push_back(static_cast<uint8_t>(length >> 8 * (i - 1)));
    out.insert(out.end(), length, 'a');
  }
  return out;
}

using Decode = Code (*)(Bytes);
template <typename Message>
Code decode(Bytes body) {
  return Message::decode(body).code();
}
Code opaque(Bytes) { return Code::ok; }
Code empty(Bytes body) { return body.empty() ? Code::ok : Code::trailing; }

struct Known {
  const char* name;
  FrameType type;
  Decode decode;
} const kKnown[] = {
    {"hello", FrameType::hello, decode<Hello>},
    {"evidence", FrameType::evidence, opaque},
    {"challenge", FrameType::challenge, opaque},
    {"activation", FrameType::activation, opaque},
    {"verdict", FrameType::verdict, decode<VerdictMessage>},
    {"init_request", FrameType::init_request, decode<InitRequest>},
    {"init_progress", FrameType::init_progress, decode<InitProgress>},
    {"init_response", FrameType::init_response, decode<InitResponse>},
    {"join_request", FrameType::join_request, decode<JoinRequest>},
    {"join_ticket", FrameType::join_ticket, decode<JoinTicket>},
    {"rejoin_request", FrameType::rejoin_request, decode<RejoinRequest>},
    {"rejoin_ticket", FrameType::rejoin_ticket, decode<RejoinTicket>},
    {"recover_query", FrameType::recover_query, empty},
    {"recover_info", FrameType::recover_info, decode<RecoverInfo>},
    {"recover_request", FrameType::recover_request, decode<RecoverRequest>},
    {"recover_done", FrameType::recover_done, empty},
    {"verify_request", FrameType::verify_request, empty},
    {"verify_response", FrameType::verify_response, decode<VerifyResponse>},
    {"key_request", FrameType::key_request, decode<KeyRequest>},
    {"key_response", FrameType::key_response, decode<KeyResponse>},
    {"attest_query", FrameType::attest_query, empty},
    {"attest_info", FrameType::attest_info, decode<AttestInfo>},
    {"attest_request", FrameType::attest_request, decode<AttestRequest>},
    {"attest_response", FrameType::attest_response, opaque},
    {"activate_request", FrameType::activate_request, opaque},
    {"activate_response", FrameType::activate_response, opaque},
    {"rekey_request", FrameType::rekey_request, decode<RekeyRequest>},
    {"rekey_done", FrameType::rekey_done, empty},
    {"power_request", FrameType::power_request, decode<PowerRequest>},
    {"start_request", FrameType::start_request, decode<StartRequest>},
    {"start_done", FrameType::start_done, empty},
    {"error", FrameType::error, decode<ErrorMessage>},
};
}  // namespace

TEST_CASE("the docs name every message type, with its number and its maximum") {
  std::map<int, std::string> documented;
  for (const Section& section : sections()) {
    if (section.name == "header") continue;
    CAPTURE(section.name);
    CHECK(documented.emplace(section.type, section.name).second);
    std::optional<size_t> max = max_body(static_cast<uint8_t>(section.type));
    REQUIRE(max.has_value());
    CHECK(*max == section.max);
  }
  for (int type = 0; type < 256; ++type) {
    CAPTURE(type);
    CHECK(max_body(static_cast<uint8_t>(type)).has_value() == (documented.count(type) == 1));
  }
  CHECK(std::size(kKnown) == documented.size());
  for (const Known& known : kKnown) CHECK(documented[static_cast<int>(known.type)] == known.name);
}

TEST_CASE("every message takes exactly the fields, sizes and limits of its table") {
  for (const Section& section : sections()) {
    for (const Known& known : kKnown) {
      if (known.name != section.name || known.decode == opaque) continue;
      CAPTURE(section.name);
      std::vector<uint8_t> largest = body_of(section, Size::largest);
      CHECK(largest.size() == section.max);
      CHECK(known.decode(largest) == Code::ok);
      std::vector<uint8_t> smallest = body_of(section, Size::smallest);
      CHECK(known.decode(smallest) == Code::ok);
      smallest.push_back(0);
      CHECK(known.decode(smallest) == Code::trailing);
      for (const Row& row : section.rows) {
        Field field = field_of(row);
        if (field.prefix == 0) continue;
        CAPTURE(field.name);
        CHECK(known.decode(body_of(section, Size::largest, field.name)) == Code::too_long);
      }
    }
  }
}

TEST_CASE("the docs say what a frame's header is") {
  for (const Section& section : sections()) {
    if (section.name != "header") continue;
    CHECK(section.max == kFrameHeader);
    CHECK(body_of(section, Size::largest).size() == kFrameHeader);
    CHECK(kProtocolVersion == 1);
    return;
  }
  FAIL_CHECK("no header in docs/wire/frame.md");
}

TEST_CASE("evidence takes exactly the items and limits of its tables, for every variant") {
  struct Item { unsigned tag, min, max; std::string must, may; };
  std::vector<Item> items;
  std::map<std::string, std::string> groups;
  Result<std::vector<uint8_t>> text = read_file("docs/wire/evidence.md", 1 << 20);
  REQUIRE(text.ok());
  std::stringstream in(std::string(text->begin(), text->end()));
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("| ", 0) != 0) continue;
    std::vector<std::string> cells = cells_of(line);
    Item item{};
    if (std::sscanf(line.c_str(), "| %u |", &item.tag) != 1) {
      if (cells.size() == 2) groups[cells[0]] = " " + cells[1] + " ";
      continue;
    }
    if (std::sscanf(cells[2].c_str(), "%u–%u", &item.min, &item.max) == 1) item.max = item.min;
    item.must = cells[3];
    item.may = cells[4];
    items.push_back(item);
  }
  CHECK(items.size() == 16);
  CHECK(Bytes(*text).text().find("at most " + std::to_string(kMaxEvidence) + " bytes") != std::string_view::npos);
  auto in_groups = [&](const std::string& names, const std::string& variant) {
    std::stringstream list(names);
    for (std::string name; list >> name;) {
      REQUIRE(groups.count(name) == 1);
      if (groups[name].find(" " + variant + " ") != std::string::npos) return true;
    }
    return false;
  };

  for (uint8_t number = 1; number <= 13; ++number) {
    const std::string variant = variant_name(static_cast<Variant>(number));
    CAPTURE(variant);
    auto always = [&](const Item& item) { return in_groups(item.must, variant); };
    auto known = [&](const Item& item) { return always(item) || in_groups(item.may, variant); };
    struct Shape { bool largest; unsigned beyond, without, with; };
    size_t total = 0;
    // Each item at its largest or smallest; `beyond` one longer, `without` left out, `with` although it is not known.
    auto build = [&](Shape shape) {
      std::vector<uint8_t> out;
      for (const Item& item : items) {
        bool wanted = shape.largest ? known(item) : always(item);
        if (item.tag == shape.without || (!wanted && item.tag != shape.with)) continue;
        size_t size = (shape.largest ? item.max : item.min) + (item.tag == shape.beyond ? 1 : 0);
        for (size_t byte : {item.tag >> 8, item.tag, static_cast<unsigned>(size >> 24), static_cast<unsigned>(size >> 16),
                            static_cast<unsigned>(size >> 8), static_cast<unsigned>(size)}) {
          out.push_back(static_cast<uint8_t>(byte));
        }
        out.insert(out.end(), size, item.tag == 1 ? number : 'a');
      }
      total = out.size();
      return Evidence::decode(out).code();
    };
    Code all = build({true, 0, 0, 0});
    CHECK(all == (total > kMaxEvidence ? Code::too_long : Code::ok));
    CHECK(build({false, 0, 0, 0}) == Code::ok);
    for (const Item& item : items) {
      CAPTURE(item.tag);
      if (known(item)) CHECK(build({true, item.tag, 0, 0}) == Code::too_long);
      if (always(item)) CHECK(build({false, 0, item.tag, 0}) == Code::evidence_malformed);
      if (!known(item)) CHECK(build({false, 0, 0, item.tag}) == Code::evidence_malformed);
      // A chain needs its certificate.
      if (known(item) && !always(item)) {
        CHECK(build({false, 0, 0, item.tag}) == (item.tag == 6 ? Code::evidence_malformed : Code::ok));
      }
    }
  }
}
