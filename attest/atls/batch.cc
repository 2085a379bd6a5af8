#include <algorithm>

#include "attest/atls/session.h"

namespace cstl {

namespace {

// Both lists are sorted by ticket.
template <typename List>
auto find_ticket(List& list, uint64_t ticket) {
  auto at = std::lower_bound(list.begin(), list.end(), ticket, [](const auto& a, uint64_t t) { return a.ticket < t; });
  return at != list.end() && at->ticket == ticket ? at : list.end();
}

}  // namespace

uint64_t QuoteBatch::add(const Binding& binding) {
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
  std::replace(round_.begin(), round_.end(), ticket, uint64_t{0});
}

void QuoteBatch::flush() {
  while (pending()) begin();
}

// The oldest request: an activation alone, or a binding with all others that wait.
void QuoteBatch::begin() {
  std::vector<Binding> bindings;
  std::vector<uint8_t> credential = std::move(waiting_.front().credential);
  round_.clear();
  activation_ = !credential.empty();
  began_ = monotonic_seconds();
  if (activation_) {
    round_.push_back(waiting_.front().ticket);
    waiting_.erase(waiting_.begin());
    running_ = attester_.begin_activate(credential);
    if (running_) return;
    Result<std::vector<uint8_t>> secret = attester_.activate(credential);
    if (!secret.ok()) return finish(secret.error());
    EvidenceList answer;
    answer.push_back(std::move(*secret));
    return finish(std::move(answer));
  }
  std::vector<Waiting> later;
  for (Waiting& w : waiting_) {
    if (!w.credential.empty() || bindings.size() == attester_.max_bindings()) {
      later.push_back(std::move(w));
    } else {
      round_.push_back(w.ticket);
      bindings.push_back(w.binding);
    }
  }
  waiting_ = std::move(later);
  running_ = attester_.begin_quote(bindings);
  if (!running_) finish(attester_.quote(bindings));
}

void QuoteBatch::advance() {
  if (!running_) return;
  std::optional<Result<EvidenceList>> answer = running_->step();
  if (!answer) return;
  running_.reset();
  finish(std::move(*answer));
  flush();
}

void QuoteBatch::finish(Result<EvidenceList> answer) {
  if (answer.ok() && answer->size() != round_.size()) answer = fail(Code::internal, "batch.count");
  if (on_answer) on_answer(monotonic_seconds() - began_, activation_, answer.code());
  for (size_t i = 0; i < round_.size(); ++i) {
    if (round_[i] == 0) continue;
    Done done{round_[i], answer.ok() ? Result<std::vector<uint8_t>>(std::move((*answer)[i])) : answer.error()};
    auto after = std::upper_bound(done_.begin(), done_.end(), round_[i], [](uint64_t t, const Done& d) { return t < d.ticket; });
    done_.insert(after, std::move(done));
  }
  round_.clear();
}

bool QuoteBatch::done(uint64_t ticket) const { return find_ticket(done_, ticket) != done_.end(); }

std::optional<Result<std::vector<uint8_t>>> QuoteBatch::take(uint64_t ticket) {
  auto at = find_ticket(done_, ticket);
  if (at == done_.end()) return std::nullopt;
  Result<std::vector<uint8_t>> evidence = std::move(at->evidence);
  done_.erase(at);
  return evidence;
}

}  // namespace cstl
