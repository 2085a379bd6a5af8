// What a joinservice has on record, in memory: one entry per key of its store (file: the disk; Kubernetes: the object's
// name). Pure; nothing here is secret.
//
// An entry that cannot be read still holds what is known of it (its key, its disk), so that damage can't hand a disk's key
// or a name to another machine. The same goes for a disk that two entries claim: nobody gets it until an operator decides.
#pragma once

#include <map>
#include <string>

#include "attest/reference/appraise.h"
#include "svc/wire/join.h"

namespace cstl {

constexpr size_t kMaxNodeRecord = 4096;   // bytes of one record's file
constexpr size_t kMaxNodes = 16384;
constexpr size_t kMaxSetId = 64;

using WireguardKey = std::array<uint8_t, 32>;   // a Curve25519 public key; all zeros: none

struct NodeRecord {
  Uuid disk{};
  PlatformIdentity identity{};
  Role role = Role::worker;
  std::string name;
  std::string reference_set;   // that matched at the (last) join
  int64_t first_joined = 0;
  // Of Kubernetes only; the file store does not keep them.
  Variant variant = Variant::qemu_vtpm;
  std::string address;         // literal IP in its canonical text; empty: none
  WireguardKey wireguard_key{};

  // The file store's form. Errors: record_malformed, bad_json, too_long.
  static Result<NodeRecord> parse(std::string_view json);
  std::string to_json() const;   // deterministic; parses back to itself
};

bool valid_set_id(std::string_view id);

class Nodes {
 public:
  size_t size() const { return entries_.size(); }
  bool full() const { return entries_.size() >= kMaxNodes; }

  // Each: nullptr when there is none, when it is damaged, or when two entries claim the disk.
  const NodeRecord* find(const Uuid& disk) const;
  const NodeRecord* find_identity(const PlatformIdentity& identity) const;
  const NodeRecord* find_name(std::string_view name) const;
  const NodeRecord* find_address(std::string_view address) const;        // nullptr for the empty address
  const NodeRecord* find_wireguard(const WireguardKey& key) const;       // nullptr for zeros
  // Held by an entry that nobody can use: unreadable, or (disks) claimed twice.
  bool damaged(const Uuid& disk) const;
  bool damaged_name(std::string_view name) const;
  bool has(const std::string& key) const { return entries_.count(key) != 0; }

  // True when an entry of another key claims this disk, identity, address or WireGuard key (damaged entries: the disk).
  struct Claims {
    bool disk = false, identity = false, address = false, wireguard = false;
  };
  Claims claimed_by_others(const std::string& key, const NodeRecord& record) const;

  void put(const std::string& key, NodeRecord record);
  void put_damaged(const std::string& key, std::optional<Uuid> disk);
  void erase(const std::string& key) { entries_.erase(key); }

  template <typename Visit>
  void each(Visit visit) const {   // visit(key, const NodeRecord*): nullptr for damaged ones
    for (const auto& [key, entry] : entries_) visit(key, entry.record ? &*entry.record : nullptr);
  }

 private:
  struct Entry {
    std::optional<NodeRecord> record;
    std::optional<Uuid> disk;   // what the entry holds, also when it has no record
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace cstl
