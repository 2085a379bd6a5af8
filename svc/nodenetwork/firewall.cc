#include "svc/nodenetwork/firewall.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>

namespace cstl {
namespace {

using netlink::Attribute;
using netlink::Attributes;
using netlink::Request;

constexpr uint32_t kSourceOffset = 12, kDestinationOffset = 16;   // RFC 791, section 3.1
constexpr uint32_t kPriorityRaw = static_cast<uint32_t>(-300);    // NF_IP_PRI_RAW
constexpr uint32_t kPrioritySource = 100;                         // NF_IP_PRI_NAT_SRC
constexpr uint32_t kPriorityAfterSource = 110;
constexpr uint8_t kComment = 0;                                   // NFTNL_UDATA_TABLE_COMMENT: nft(8) shows it
constexpr size_t kMaxName = NFT_NAME_MAXLEN - 1;

constexpr uint16_t tables(uint16_t message) { return static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message); }

void frame(Request& request, uint16_t type, uint16_t flags, uint32_t sequence, uint8_t family, uint16_t resource) {
  request.message(type, flags, sequence);
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  header.res_id = htons(resource);
  request.header(header);
}

// Writes the expressions of one rule.
class Rule {
 public:
  Rule(Request& request, uint32_t sequence, const char* chain) : request_(request) {
    frame(request, tables(NFT_MSG_NEWRULE), NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND, sequence, NFPROTO_IPV4, 0);
    request.text(NFTA_RULE_TABLE, kTable);
    request.text(NFTA_RULE_CHAIN, chain);
    list_ = request.begin(NFTA_RULE_EXPRESSIONS);
  }

  // The interface (NFT_META_IIFNAME, NFT_META_OIFNAME) is none of those that pods are behind.
  Rule& foreign(uint32_t key) {
    for (const char* name : {kTunnel, kBridge, "lo"}) {
      std::array<uint8_t, IFNAMSIZ> padded{};
      std::memcpy(padded.data(), name, std::strlen(name));
      begin("meta");
      request_.be32(NFTA_META_DREG, NFT_REG_1);
      request_.be32(NFTA_META_KEY, key);
      end();
      compare(NFT_CMP_NEQ, padded);
    }
    return *this;
  }

  Rule& address(uint32_t offset, const PodRange& range, bool within) {
    begin("payload");
    request_.be32(NFTA_PAYLOAD_DREG, NFT_REG_1);
    request_.be32(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
    request_.be32(NFTA_PAYLOAD_OFFSET, offset);
    request_.be32(NFTA_PAYLOAD_LEN, sizeof(uint32_t));
    end();
    begin("bitwise");
    request_.be32(NFTA_BITWISE_SREG, NFT_REG_1);
    request_.be32(NFTA_BITWISE_DREG, NFT_REG_1);
    request_.be32(NFTA_BITWISE_LEN, sizeof(uint32_t));
    value(NFTA_BITWISE_MASK, range.mask());
    value(NFTA_BITWISE_XOR, 0);
    end();
    const uint32_t network = htonl(range.network);
    compare(within ? NFT_CMP_EQ : NFT_CMP_NEQ, Bytes(reinterpret_cast<const uint8_t*>(&network), sizeof network));
    return *this;
  }

  void drop() {
    begin("counter");
    end();
    begin("immediate");
    request_.be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    const size_t data = request_.begin(NFTA_IMMEDIATE_DATA);
    const size_t verdict = request_.begin(NFTA_DATA_VERDICT);
    request_.be32(NFTA_VERDICT_CODE, NF_DROP);
    request_.end(verdict);
    request_.end(data);
    end();
    request_.end(list_);
  }

  void masquerade() {
    begin("masq");
    end();
    request_.end(list_);
  }

 private:
  void begin(const char* name) {
    element_ = request_.begin(NFTA_LIST_ELEM);
    request_.text(NFTA_EXPR_NAME, name);
    data_ = request_.begin(NFTA_EXPR_DATA);
  }
  void end() {
    request_.end(data_);
    request_.end(element_);
  }
  void value(uint16_t type, uint32_t number) {
    const size_t nest = request_.begin(type);
    request_.be32(NFTA_DATA_VALUE, number);
    request_.end(nest);
  }
  void compare(uint32_t operation, Bytes with) {
    begin("cmp");
    request_.be32(NFTA_CMP_SREG, NFT_REG_1);
    request_.be32(NFTA_CMP_OP, operation);
    const size_t nest = request_.begin(NFTA_CMP_DATA);
    request_.attribute(NFTA_DATA_VALUE, with);
    request_.end(nest);
    end();
  }

  Request& request_;
  size_t list_ = 0, element_ = 0, data_ = 0;
};

void chain(Request& request, uint32_t sequence, const char* name, const char* type, uint32_t hook, uint32_t priority) {
  frame(request, tables(NFT_MSG_NEWCHAIN), NLM_F_ACK | NLM_F_CREATE, sequence, NFPROTO_IPV4, 0);
  request.text(NFTA_CHAIN_TABLE, kTable);
  request.text(NFTA_CHAIN_NAME, name);
  const size_t nest = request.begin(NFTA_CHAIN_HOOK);
  request.be32(NFTA_HOOK_HOOKNUM, hook);
  request.be32(NFTA_HOOK_PRIORITY, priority);
  request.end(nest);
  request.be32(NFTA_CHAIN_POLICY, NF_ACCEPT);
  request.text(NFTA_CHAIN_TYPE, type);
}

void table(Request& request, uint16_t message, uint16_t flags, uint32_t sequence, const std::string& mark) {
  frame(request, tables(message), static_cast<uint16_t>(NLM_F_ACK | flags), sequence, NFPROTO_IPV4, 0);
  request.text(NFTA_TABLE_NAME, kTable);
  if (mark.empty()) return;
  std::vector<uint8_t> comment{kComment, static_cast<uint8_t>(mark.size() + 1)};
  comment.insert(comment.end(), mark.begin(), mark.end());
  comment.push_back(0);
  request.attribute(NFTA_TABLE_USERDATA, comment);
}

}  // namespace

std::string firewall_mark(const Firewall& firewall) {
  return "cstl 1 pods " + range_text(firewall.range) + (firewall.own ? " own " + range_text(*firewall.own) : "");
}

size_t firewall_rules(const Firewall& firewall) { return firewall.own ? 4 : 3; }

void write_firewall(Request& request, const Firewall& firewall, uint32_t first, uint32_t* last, int* acknowledgements) {
  uint32_t sequence = first;
  frame(request, NFNL_MSG_BATCH_BEGIN, 0, sequence++, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  table(request, NFT_MSG_NEWTABLE, NLM_F_CREATE, sequence++, {});  // so that there is one to delete
  table(request, NFT_MSG_DELTABLE, 0, sequence++, {});
  table(request, NFT_MSG_NEWTABLE, NLM_F_CREATE, sequence++, firewall_mark(firewall));

  chain(request, sequence++, "arriving", "filter", NF_INET_PRE_ROUTING, kPriorityRaw);
  Rule(request, sequence++, "arriving").foreign(NFT_META_IIFNAME).address(kSourceOffset, firewall.range, true).drop();
  if (firewall.own) {
    chain(request, sequence++, "masquerade", "nat", NF_INET_POST_ROUTING, kPrioritySource);
    Rule(request, sequence++, "masquerade")
        .address(kSourceOffset, *firewall.own, true)
        .address(kDestinationOffset, firewall.range, false)
        .masquerade();
  }
  chain(request, sequence++, "leaving", "filter", NF_INET_POST_ROUTING, kPriorityAfterSource);
  for (uint32_t offset : {kSourceOffset, kDestinationOffset}) {
    Rule(request, sequence++, "leaving").foreign(NFT_META_OIFNAME).address(offset, firewall.range, true).drop();
  }
  *acknowledgements = static_cast<int>(sequence - first - 1);
  frame(request, NFNL_MSG_BATCH_END, 0, sequence, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  *last = sequence;
}

void ask_table(Request& request, uint32_t sequence) {
  frame(request, tables(NFT_MSG_GETTABLE), 0, sequence, NFPROTO_IPV4, 0);
  request.text(NFTA_TABLE_NAME, kTable);
}

Result<std::string> table_mark(Bytes body) {
  nfgenmsg header;
  TRY_LET(Attributes attributes, netlink::open_body(body, &header));
  while (true) {
    TRY_LET(std::optional<Attribute> a, attributes.next());
    if (!a) return std::string();
    if (a->type != NFTA_TABLE_USERDATA) continue;
    if (a->value.size() < 2 || a->value[0] != kComment) return std::string();
    TRY_LET(std::string_view text, netlink::text_of(a->value.skip(2), kMaxName));
    return std::string(text);
  }
}

void ask_rules(Request& request, uint32_t sequence) {
  frame(request, tables(NFT_MSG_GETRULE), NLM_F_DUMP, sequence, NFPROTO_IPV4, 0);
  request.text(NFTA_RULE_TABLE, kTable);
}

namespace {

// The packets of a counter expression; 0 for any other one.
Result<uint64_t> counted(Attributes expression) {
  Bytes data;
  bool counter = false;
  while (true) {
    TRY_LET(std::optional<Attribute> a, expression.next());
    if (!a) break;
    if (a->type == NFTA_EXPR_NAME) {
      TRY_LET(std::string_view name, netlink::text_of(a->value, kMaxName));
      counter = name == "counter";
    } else if (a->type == NFTA_EXPR_DATA) {
      data = a->value;
    }
  }
  if (!counter) return uint64_t{0};
  Attributes values(data);
  while (true) {
    TRY_LET(std::optional<Attribute> a, values.next());
    if (!a) return uint64_t{0};
    if (a->type == NFTA_COUNTER_PACKETS) return Reader(a->value).u64();
  }
}

}  // namespace

Result<RuleSeen> parse_rule(Bytes body) {
  nfgenmsg header;
  RuleSeen out;
  TRY_LET(Attributes attributes, netlink::open_body(body, &header));
  while (true) {
    TRY_LET(std::optional<Attribute> a, attributes.next());
    if (!a) return out;
    if (a->type == NFTA_RULE_TABLE) {
      TRY_LET(std::string_view name, netlink::text_of(a->value, kMaxName));
      out.ours = name == kTable && header.nfgen_family == NFPROTO_IPV4;
    } else if (a->type == NFTA_RULE_CHAIN) {
      TRY_LET(std::string_view name, netlink::text_of(a->value, kMaxName));
      out.chain = name;
    } else if (a->type == NFTA_RULE_EXPRESSIONS) {
      Attributes list(a->value);
      while (true) {
        TRY_LET(std::optional<Attribute> element, list.next());
        if (!element) break;
        TRY_LET(uint64_t packets, counted(Attributes(element->value)));
        out.dropped += packets;
      }
    }
  }
}

}  // namespace cstl
