#include "initrd/places.h"

#include <doctest/doctest.h>

namespace cstl {
namespace {

Metadata metadata() {
  Metadata out;
  out.name = "worker-0";
  out.address = *parse_prefix("10.0.2.15/24");
  return out;
}

}  // namespace

TEST_CASE("places: hosts names the loopback and the node") {
  CHECK(hosts_text(metadata()) ==
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n10.0.2.15 worker-0\n");
}

TEST_CASE("places: resolv.conf holds the name servers of the metadata, or nothing") {
  Metadata m = metadata();
  CHECK(resolver_text(m).empty());
  m.dns = {*parse_ip("10.0.2.3"), *parse_ip("fd00::3")};
  CHECK(resolver_text(m) == "nameserver 10.0.2.3\nnameserver fd00::3\n");
}

TEST_CASE("places: the machine-id is the disk's UUID, without dashes") {
  CHECK(machine_id_text(*parse_uuid("00112233-4455-4677-8899-aabbccddeeff")) == "00112233445546778899aabbccddeeff\n");
}

}  // namespace cstl
