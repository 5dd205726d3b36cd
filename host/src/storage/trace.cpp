// SPDX-License-Identifier: Apache-2.0
#include "storage/trace.hpp"

#include <utility>

#include "storage/call.hpp"
#include "storage/contract.hpp"
#include "storage/node.hpp"

namespace omnistore {

Trace::Call::Call(omnistore_call *outer_call)
    : PassedCall(outer_call, [](omnistore_call *call, const omnistore_failure *failure) {
        auto &self = *static_cast<Call *>(call);
        without_exceptions([&] { self.message = view(failure->message); });
        self.outer->fail(self.outer, failure);
      }) {}

Trace::Sink::Sink(omnistore_sink *outer_sink)
    : omnistore_sink{sizeof(omnistore_sink), 0,
                     [](omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
                       auto &self = *static_cast<Sink *>(sink);
                       return self.seen(self.outer->begin(self.outer, meta, buffer));
                     },
                     [](omnistore_sink *sink, const void *data, std::uint64_t count) {
                       auto &self = *static_cast<Sink *>(sink);
                       return self.seen(self.outer->write(self.outer, data, count));
                     },
                     nullptr},
      outer(outer_sink) {}

Trace::Listening::Listening(Trace &in, Node &node, omnistore_call *outer, omnistore_bytes key, omnistore_sink *to)
    : trace(in), asked(in.asked_[&node]), call(outer), sink(to) {
  if (asked.hop.asked++ == 0) {
    asked.hop.order = static_cast<std::uint32_t>(in.asked_.size());
    const auto begun = std::chrono::steady_clock::now();
    Trace *resumed = std::exchange(current_, nullptr); // what the driver reads for this is no hop
    std::optional<std::string> about = in.tell_(node, view(key));
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

bool Trace::is_bookkeeping(omnistore_bytes key) const { return view(key) != key_ && view(key).ends_with('$'); }

Hop Trace::hop(const Node &node) const {
  Hop result;
  if (const auto found = asked_.find(&node); found != asked_.end()) result = found->second.hop;
  result.driver = node.driver().name;
  for (const auto &child : node.children()) result.children.push_back(hop(*child));
  return result;
}

std::vector<std::uint32_t> Trace::answered(const Node &node) const {
  std::vector<std::uint32_t> way;
  for (const Node *at = &node; at;) {
    const Node *last = nullptr;
    std::uint32_t hit = 0, place = 0;
    for (std::uint32_t i = 0; i < at->children().size(); ++i) {
      const Node *child = at->children()[i].get();
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
