#include "tools/cstl/switch.h"

#include <doctest/doctest.h>

using namespace cstl;
using namespace cstl::cli;
using Kind = MacTable::Kind;

namespace {
// A frame of 60 bytes between two addresses that end so.
std::vector<uint8_t> frame(std::initializer_list<uint8_t> to, std::initializer_list<uint8_t> from) {
  std::vector<uint8_t> out(to);
  out.insert(out.end(), from);
  out.resize(60);
  return out;
}
#define MAC(last) {0x52, 0x54, 0, 0xc5, 0x71, last}
#define ALL {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
#define GATEWAY {0x52, 0x55, 10, 0, 2, 2}
}  // namespace

TEST_CASE("the switch learns who has an address from what it sends") {
  MacTable table;
  CHECK(table.route(frame(MAC(2), MAC(1)), "a").kind == Kind::machines);  // not known yet
  CHECK(table.route(frame(ALL, MAC(2)), "b").kind == Kind::all);
  auto way = table.route(frame(MAC(2), MAC(1)), "a");
  CHECK(way.kind == Kind::one);
  CHECK(way.name == "b");
  // The machine was replaced by one of another name.
  CHECK(table.route(frame(ALL, MAC(2)), "c").kind == Kind::all);
  CHECK(table.route(frame(MAC(2), MAC(1)), "a").name == "c");
}

TEST_CASE("the way out sees only what is for everyone or for itself") {
  MacTable table;
  CHECK(table.route(frame(GATEWAY, MAC(1)), "a").name == kUplink);
  CHECK(table.route(frame(MAC(9), MAC(1)), "a").kind == Kind::machines);
  CHECK(table.route(frame(MAC(1), GATEWAY), kUplink).name == "a");
  CHECK(table.route(frame(GATEWAY, GATEWAY), kUplink).kind == Kind::none);
}

TEST_CASE("nothing goes back to where it came from, and a stump goes nowhere") {
  MacTable table;
  CHECK(table.route(frame(ALL, MAC(1)), "a").kind == Kind::all);
  CHECK(table.route(frame(MAC(1), MAC(1)), "a").kind == Kind::none);
  for (size_t size = 0; size < 14; ++size) {
    std::vector<uint8_t> stump(size, 0xff);
    CHECK(table.route(stump, "a").kind == Kind::none);
  }
}

TEST_CASE("a flood of addresses does not fill the memory, and the switch goes on") {
  MacTable table;
  for (int i = 0; i < 100000; ++i) {
    auto flood = frame(ALL, MAC(1));
    flood[9] = static_cast<uint8_t>(i >> 8);
    flood[10] = static_cast<uint8_t>(i);
    flood[11] = static_cast<uint8_t>(i >> 16);
    CHECK(table.route(flood, "a").kind == Kind::all);
  }
  CHECK(table.route(frame(ALL, MAC(7)), "b").kind == Kind::all);
  CHECK(table.route(frame(MAC(7), MAC(1)), "a").name == "b");
}
