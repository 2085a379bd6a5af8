// The packet filter of pod traffic: the table `ip cstl` of nf_tables, written whole in one transaction. It holds even
// when routes or rp_filter do not:
//  - prerouting, before connections are tracked: a packet with a pod's source that comes from another interface than
//    wg0, cni0 or lo is dropped: nobody on the wire can speak as a pod;
//  - postrouting, after addresses are translated: a packet to or from a pod that is about to leave by another interface
//    is dropped: nothing of a pod's goes out in clear;
//  - pods speak to the world outside of the pod range with their node's address (masquerade); among pods the source
//    stays.
// Other tables (kube-proxy, portmap) are not touched. Nothing here is secret, does I/O or logs.
#pragma once

#include "svc/nodenetwork/address.h"
#include "svc/nodenetwork/netlink.h"

namespace cstl {

constexpr const char* kTunnel = "wg0";
constexpr const char* kBridge = "cni0";
constexpr const char* kTable = "cstl";

struct Firewall {
  PodRange range;                                // of the cluster
  std::optional<PodRange> own;                   // of this node; nothing: no masquerade yet
};

// What the table says of itself; compared with the table that is there.
std::string firewall_mark(const Firewall& firewall);
size_t firewall_rules(const Firewall& firewall); // how many rules it has

// The transaction that makes the table, or makes it anew. Uses the sequence numbers from `first` on; `last` and
// `acknowledgements` say what to wait for.
void write_firewall(netlink::Request& request, const Firewall& firewall, uint32_t first, uint32_t* last,
                    int* acknowledgements);

void ask_table(netlink::Request& request, uint32_t sequence);   // one answer, or ENOENT
// The mark of the table that is there; empty when it has none. Errors: truncated, bad_value.
Result<std::string> table_mark(Bytes body);
void ask_rules(netlink::Request& request, uint32_t sequence);   // a dump
struct RuleSeen {
  bool ours = false;
  std::string chain;
  uint64_t dropped = 0;                          // packets that the rule's counter has seen; 0 without one
};
Result<RuleSeen> parse_rule(Bytes body);

}  // namespace cstl
