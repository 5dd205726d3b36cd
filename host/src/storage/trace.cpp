// SPDX-License-Identifier: Apache-2.0
#include "storage/trace.hpp"

#include <utility>

#include "storage/call.hpp"
#include "storage/contract.hpp"
#include "storage/store.hpp"

namespace omnistore {

Trace::HopCall::HopCall(omnistore_call *outer)
    : WrappedCall(Call(outer), [](omnistore_call *call, const omnistore_failure *failure) {
        auto &self = *static_cast<HopCall *>(call);
        without_exceptions([&] { self.message = view(failure->message); });
        self.pass_on(failure->item, view(failure->message), details_of(*failure));
      }) {}

Trace::Listening::Listening(Trace &in, Store &store, omnistore_call *outer, omnistore_bytes key, omnistore_sink &to)
    : trace(in), asked(in.asked_[&store]), call(outer), sink(to) {
  if (asked.hop.asked++ == 0) {
    asked.hop.order = static_cast<std::uint32_t>(in.asked_.size());
    const auto begun = std::chrono::steady_clock::now();
    Trace *resumed = std::exchange(current_, nullptr); // what the driver reads for this is no hop
    std::optional<std::string> about = in.report_(store, view(key));
    asked.hop.about_late = !about;
    if (about) asked.hop.about = std::move(*about);
    current_ = resumed;
    in.apart_ += std::chrono::steady_clock::now() - begun;
  }
  apart = in.apart_;
  start = std::chrono::steady_clock::now();
}

omnistore_status Trace::Listening::done(omnistore_status status) {
  Hop &hop = asked.hop;
  hop.time += std::chrono::steady_clock::now() - start - (trace.apart_ - apart);
  if (status == OMNISTORE_OK) {
    hop.outcome = Hop::Outcome::hit;
    asked.hit = ++trace.hits_;
  } else if (status == OMNISTORE_NOT_FOUND) {
    hop.outcome = Hop::Outcome::miss;
  } else if (sink.refused) {
    hop.outcome = Hop::Outcome::passed_over;
  } else {
    hop.outcome = Hop::Outcome::failed;
    hop.message = call.message.empty() ? std::string(phrase(to_status(status))) : std::move(call.message);
  }
  return status;
}

bool Trace::is_bookkeeping(omnistore_bytes key) const { return view(key) != key_ && is_sidecar(view(key)); }

Hop Trace::hop(const Store &store) const {
  Hop result;
  if (const auto found = asked_.find(&store); found != asked_.end()) result = found->second.hop;
  result.driver = store.driver().name;
  for (const auto &child : store.children()) result.children.push_back(hop(*child));
  return result;
}

std::vector<std::uint32_t> Trace::answered(const Store &store) const {
  std::vector<std::uint32_t> way;
  for (const Store *at = &store; at;) {
    const Store *last = nullptr;
    std::uint32_t hit = 0, place = 0;
    for (std::uint32_t i = 0; i < at->children().size(); ++i) {
      const Store *child = at->children()[i].get();
      const auto found = asked_.find(child);
      if (found == asked_.end() || found->second.hop.outcome != Hop::Outcome::hit || found->second.hit <= hit) continue;
      last = child;
      hit = found->second.hit;
      place = i;
    }
    if (last) way.push_back(place);
    at = last;
  }
  return way;
}

} // namespace omnistore
