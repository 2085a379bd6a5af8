#include <algorithm>

#include "attest/atls/session.h"
#include "attest/merkle.h"

namespace cstl {

namespace {

// Tickets rise, so both lists stay sorted by ticket.
template <typename List>
auto find_ticket(List& list, uint64_t ticket) {
  auto at = std::lower_bound(list.begin(), list.end(), ticket, [](const auto& a, uint64_t t) { return a.ticket < t; });
  return at != list.end() && at->ticket == ticket ? at : list.end();
}

}  // namespace

uint64_t QuoteBatch::add(const Digest32& binding) {
  waiting_.push_back(Waiting{next_, binding, {}});
  return next_++;
}

uint64_t QuoteBatch::add_activation(Bytes credential) {
  waiting_.push_back(Waiting{next_, {}, credential.copy()});
  return next_++;
}

void QuoteBatch::forget(uint64_t ticket) {
  if (auto at = find_ticket(waiting_, ticket); at != waiting_.end()) waiting_.erase(at);
  if (auto at = find_ticket(done_, ticket); at != done_.end()) done_.erase(at);
}

void QuoteBatch::flush() {
  const size_t count = std::min(waiting_.size(), kMaxMerkleLeaves);
  std::vector<Waiting> round(std::make_move_iterator(waiting_.begin()),
                             std::make_move_iterator(waiting_.begin() + static_cast<std::ptrdiff_t>(count)));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<Digest32> bindings;
  for (const Waiting& w : round) {
    if (w.credential.empty()) bindings.push_back(w.binding);
  }
  Result<std::vector<std::vector<uint8_t>>> evidence = std::vector<std::vector<uint8_t>>();
  if (!bindings.empty()) {
    evidence = attester_.quote(bindings);
    if (evidence.ok() && evidence->size() != bindings.size()) evidence = fail(Code::internal, "batch.count");
  }
  size_t next = 0;
  for (Waiting& w : round) {
    if (!w.credential.empty()) {
      done_.push_back(Done{w.ticket, attester_.activate(w.credential)});
    } else if (!evidence.ok()) {
      done_.push_back(Done{w.ticket, evidence.error()});
    } else {
      done_.push_back(Done{w.ticket, std::move((*evidence)[next++])});
    }
  }
}

std::optional<Result<std::vector<uint8_t>>> QuoteBatch::take(uint64_t ticket) {
  auto at = find_ticket(done_, ticket);
  if (at == done_.end()) return std::nullopt;
  Result<std::vector<uint8_t>> evidence = std::move(at->evidence);
  done_.erase(at);
  return evidence;
}

}  // namespace cstl
