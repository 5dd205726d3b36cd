// SPDX-License-Identifier: Apache-2.0
// A layer that forwards get, set and the rest to its child, with a context of its own: "layer-hands-down". If
// CALLS_BELOW is defined, it closes the store below its child instead: "layer-looks-below".
#include <omnistore/driver.hpp>

namespace {

struct Forgetful {
  struct Call : omnistore_call {
    omnistore_context own{};
    omnistore_call *outer;
    explicit Call(omnistore_call *call) : omnistore_call(*call), outer(call) {
      own.size = sizeof own;
      own.cancelled = [](const omnistore_context *) -> std::uint32_t { return 0; };
      context = &own;
      remaining = [](const omnistore_call *c) {
        omnistore_call *o = static_cast<const Call *>(c)->outer;
        return o->remaining(o);
      };
      fail = [](omnistore_call *c, const omnistore_failure *failure) {
        omnistore_call *o = static_cast<Call *>(c)->outer;
        o->fail(o, failure);
      };
    }
  };

  omnistore::Child child;

  Forgetful(const omnistore_host &, const omnistore::Options &, omnistore_traits &traits,
            std::span<const omnistore_store *const> children)
      : child(children[0]) {
    traits.max_key_size = child.traits().max_key_size;
    traits.max_value_size = child.traits().max_value_size;
#ifdef CALLS_BELOW
    if (child.raw()->child_count) child.raw()->children[0]->driver->close(child.raw()->children[0]->self);
#endif
  }

  omnistore_status get(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    Call mine(call.raw());
    return child.get(omnistore::Call(&mine), key, request, sink);
  }
  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    Call mine(call.raw());
    return child.set(omnistore::Call(&mine), key, request, result);
  }
  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
    return child.remove(call, key, request);
  }
  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page) {
    return child.list(call, request, page);
  }
};

constexpr omnistore_traits traits = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_NESTS;
  return t;
}();

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Forgetful>("forgetful", "1.0.0", "Hands down no context", nullptr, traits, 1, 1))
