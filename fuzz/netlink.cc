#include "svc/nodenetwork/firewall.h"
#include "svc/nodenetwork/route.h"
#include "svc/nodenetwork/wireguard.h"

// Datagrams of the kernel: every parser sees every message's body, and none may do more than answer.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  netlink::Messages messages(Bytes(data, size));
  DeviceReader reader;
  std::vector<Route> routes;
  while (true) {
    auto message = messages.next();
    if (!message.ok() || !*message) break;
    const Bytes body = (*message)->body;
    (void)reader.take(body);               // refusals are answers
    (void)parse_link(body);
    (void)parse_address(body);
    (void)family_of(body);
    (void)table_mark(body);
    (void)parse_rule(body);
    (void)netlink::error_of(body);
    auto route = parse_route(body);
    if (route.ok()) routes.push_back(*route);
  }
  const PodRange range{10u << 24 | 244u << 16, 16};
  (void)route_changes(routes, {unreachable_route(range)});
  (void)peer_changes(reader.device, {Peer{}});
  return 0;
}
