// SPDX-License-Identifier: Apache-2.0
//
// omnistore/driver/members.hpp - the forms that the members of a driver class may have, and the
// compile-time errors for all others. Included by omnistore/driver.hpp.
#pragma once

#include <concepts>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>
#include <omnistore/driver/arguments.hpp>
#include <omnistore/fields.hpp>
#include <omnistore/options.hpp>
#include <omnistore/value.hpp>

namespace omnistore::sdk {

// ------------------------------------------------------------------------- the members of a class

template <class T>
concept FullGet = requires(T &t, Call c, std::string_view k, const omnistore_get_request &r,
                           omnistore_sink &s) {
  { t.get(c, k, r, s) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullStat = requires(T &t, Call c, std::string_view k, const omnistore_get_request &r,
                            omnistore_sink &s) {
  { t.stat(c, k, r, s) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullSet = requires(T &t, Call c, std::string_view k, const omnistore_set_request &r,
                           omnistore_sink *s) {
  { t.set(c, k, r, s) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullRemove = requires(T &t, Call c, std::string_view k, const omnistore_remove_request &r) {
  { t.remove(c, k, r) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullList = requires(T &t, Call c, const omnistore_list_request &r, omnistore_page &p) {
  { t.list(c, r, p) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullClear = requires(T &t, Call c, const omnistore_clear_request &r, omnistore_page *p) {
  { t.clear(c, r, p) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullGetMany = requires(T &t, Call c, std::span<const omnistore_bytes> k,
                               Requests<omnistore_get_request> r, omnistore_sink *const *s,
                               omnistore_status *o) {
  { t.get_many(c, k, r, s, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullStatMany = requires(T &t, Call c, std::span<const omnistore_bytes> k,
                                Requests<omnistore_get_request> r, omnistore_sink *const *s,
                                omnistore_status *o) {
  { t.stat_many(c, k, r, s, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullSetMany = requires(T &t, Call c, std::span<const omnistore_bytes> k,
                               Requests<omnistore_set_request> r, omnistore_sink *const *s,
                               omnistore_status *o) {
  { t.set_many(c, k, r, s, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullRemoveMany = requires(T &t, Call c, std::span<const omnistore_bytes> k,
                                  Requests<omnistore_remove_request> r, omnistore_status *o) {
  { t.remove_many(c, k, r, o) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullTouch = requires(T &t, Call c, std::string_view k, const omnistore_touch_request &r) {
  { t.touch(c, k, r) } -> std::same_as<omnistore_status>;
};
template <class T>
concept FullWatch = requires(T &t, Call c, const omnistore_watch_request &r, omnistore_watcher &w,
                             void **out) {
  { t.watch(c, r, w, out) } -> std::same_as<omnistore_status>;
  { t.unwatch(*out) } -> std::same_as<void>;
};
template <class T>
concept FullExtension = requires(T &t, const char *id) {
  { t.extension(id) } -> std::same_as<const void *>;
};

template <class T>
concept FullExplain = requires(T &t, Call c, std::string_view k) {
  { t.explain(c, k) } -> std::same_as<std::string>;
};

template <class T>
concept FullStats = requires(T &t, Call c) {
  { t.stats(c) } -> std::same_as<std::string>;
};

template <class T>
concept FullHealth = requires(T &t, Call c) {
  { t.health(c) } -> std::same_as<omnistore_status>;
};

template <class V>
concept Readable = std::convertible_to<const V &, std::string_view> || std::same_as<V, Value>;
template <class T>
concept SimpleGet = requires(T &t, Key k) {
  requires Readable<std::remove_cvref_t<decltype(*t.get(k))>>;
  {t.get(k) ? 1 : 0};
};
template <class T>
concept SimpleSetView = requires(T &t, Key k, std::string_view v) {
  { t.set(k, v) } -> std::same_as<void>;
};
template <class T>
concept SimpleSetString = requires(T &t, Key k, std::string v) {
  { t.set(k, std::move(v)) } -> std::same_as<void>;
};
template <class T>
concept SimpleRemove = requires(T &t, Key k) {
  { t.remove(k) } -> std::same_as<bool>;
};
template <class T>
concept SimpleListEmit = requires(T &t, Key b, Emit e) {
  { t.list(b, e) } -> std::same_as<void>;
};
template <std::convertible_to<std::string_view> E>
std::string_view key_of(const E &element) {
  return element;
}
template <class E>
requires requires(const E &e) {
  { e.first } -> std::convertible_to<std::string_view>;
}
std::string_view key_of(const E &element) { return element.first; }
template <class T>
concept SimpleListRange = requires(T &t) {
  key_of(*std::begin(t.list()));
  std::end(t.list());
};

template <class T>
concept CanGet = FullGet<T> || SimpleGet<T>;
template <class T>
concept CanSet = FullSet<T> || SimpleSetView<T> || SimpleSetString<T>;
template <class T>
concept CanRemove = FullRemove<T> || SimpleRemove<T>;
template <class T>
concept SimpleList = !FullList<T> && (SimpleListEmit<T> || SimpleListRange<T>);

// Finds out whether a class has any member of a name, public or not: the name is then ambiguous in
// a class that derives from it and from another class that has the name too. (Nothing can derive
// from a final class, so that only its public members are found.)
#define OMNISTORE_SDK_NAME(NAME)                                                                   \
  struct Has_##NAME {                                                                              \
    struct Other {                                                                                 \
      int NAME;                                                                                    \
    };                                                                                             \
    template <class T>                                                                             \
    struct Both : T, Other {};                                                                     \
    template <class T>                                                                             \
    static constexpr bool is_public = requires {                                                   \
      &T::NAME;                                                                                    \
    };                                                                                             \
    template <class T>                                                                             \
    static constexpr bool in() {                                                                   \
      if constexpr (std::is_final_v<T> || !std::is_class_v<T>)                                     \
        return is_public<T>;                                                                       \
      else                                                                                         \
        return !is_public<Both<T>>;                                                                \
    }                                                                                              \
  };
OMNISTORE_SDK_NAME(get)
OMNISTORE_SDK_NAME(stat)
OMNISTORE_SDK_NAME(set)
OMNISTORE_SDK_NAME(remove)
OMNISTORE_SDK_NAME(list)
OMNISTORE_SDK_NAME(clear)
OMNISTORE_SDK_NAME(get_many)
OMNISTORE_SDK_NAME(stat_many)
OMNISTORE_SDK_NAME(set_many)
OMNISTORE_SDK_NAME(remove_many)
OMNISTORE_SDK_NAME(touch)
OMNISTORE_SDK_NAME(watch)
OMNISTORE_SDK_NAME(unwatch)
OMNISTORE_SDK_NAME(extension)
OMNISTORE_SDK_NAME(explain)
OMNISTORE_SDK_NAME(stats)
OMNISTORE_SDK_NAME(health)
OMNISTORE_SDK_NAME(validate)
OMNISTORE_SDK_NAME(getMany)
OMNISTORE_SDK_NAME(statMany)
OMNISTORE_SDK_NAME(setMany)
OMNISTORE_SDK_NAME(removeMany)
OMNISTORE_SDK_NAME(getItem)
OMNISTORE_SDK_NAME(setItem)
OMNISTORE_SDK_NAME(removeItem)
OMNISTORE_SDK_NAME(getKeys)
OMNISTORE_SDK_NAME(unWatch)
#undef OMNISTORE_SDK_NAME

/// Refuses a member of a known name that has neither form, which would otherwise be ignored. It
/// also refuses a private one, several overloads of which none has a form, and the names that other
/// stores use.
template <class T>
constexpr bool check_members() {
  static_assert(CanGet<T>,
                "get is missing, or is not one of the forms in driver.hpp, or is not public");
  static_assert(FullStat<T> || !Has_stat::in<T>(),
                "stat is not of the form in driver.hpp, or is not public");
  static_assert(CanSet<T> || !Has_set::in<T>(),
                "set is not one of the forms in driver.hpp, or is not public");
  static_assert(CanRemove<T> || !Has_remove::in<T>(),
                "remove is not one of the forms in driver.hpp, or is not public");
  static_assert(FullList<T> || SimpleList<T> || !Has_list::in<T>(),
                "list is not one of the forms in driver.hpp, or is not public");
  static_assert(FullClear<T> || !Has_clear::in<T>(),
                "clear is not of the form in driver.hpp, or is not public");
  static_assert(FullGetMany<T> || !Has_get_many::in<T>(),
                "get_many is not of the form in driver.hpp, or is not public");
  static_assert(FullStatMany<T> || !Has_stat_many::in<T>(),
                "stat_many is not of the form in driver.hpp, or is not public");
  static_assert(FullSetMany<T> || !Has_set_many::in<T>(),
                "set_many is not of the form in driver.hpp, or is not public");
  static_assert(FullRemoveMany<T> || !Has_remove_many::in<T>(),
                "remove_many is not of the form in driver.hpp, or is not public");
  static_assert(FullTouch<T> || !Has_touch::in<T>(),
                "touch is not of the form in driver.hpp, or is not public");
  static_assert(FullWatch<T> || !Has_watch::in<T>(),
                "watch and unwatch are not both of the forms in driver.hpp, or are not public");
  static_assert(FullWatch<T> || !Has_unwatch::in<T>(),
                "watch and unwatch are not both of the forms in driver.hpp, or are not public");
  static_assert(FullExtension<T> || !Has_extension::in<T>(),
                "extension is not of the form in driver.hpp, or is not public");
  static_assert(FullExplain<T> || !Has_explain::in<T>(),
                "explain is not of the form in driver.hpp, or is not public");
  static_assert(FullStats<T> || !Has_stats::in<T>(),
                "stats is not of the form in driver.hpp, or is not public");
  static_assert(FullHealth<T> || !Has_health::in<T>(),
                "health is not of the form in driver.hpp, or is not public");
  static_assert(!Has_getMany::in<T>(), "a driver has no member getMany; call it get_many");
  static_assert(!Has_statMany::in<T>(), "a driver has no member statMany; call it stat_many");
  static_assert(!Has_setMany::in<T>(), "a driver has no member setMany; call it set_many");
  static_assert(!Has_removeMany::in<T>(), "a driver has no member removeMany; call it remove_many");
  static_assert(!Has_getItem::in<T>(), "a driver has no member getItem; call it get");
  static_assert(!Has_setItem::in<T>(), "a driver has no member setItem; call it set");
  static_assert(!Has_removeItem::in<T>(), "a driver has no member removeItem; call it remove");
  static_assert(!Has_getKeys::in<T>(), "a driver has no member getKeys; call it list");
  static_assert(!Has_unWatch::in<T>(), "a driver has no member unWatch; call it unwatch");
  return true;
}

/// Throws at compile time if the class cannot do what the traits claim. driver.h
/// says what each capability needs.
template <class T>
constexpr void check_claims(const omnistore_traits &traits) {
  const auto claims = [&traits](std::uint64_t any) { return (traits.capabilities & any) != 0; };
  if (CanSet<T> && !FullSet<T> && claims(OMNISTORE_CAN_TTL))
    throw "OMNISTORE_CAN_TTL needs the full form of set: the simple one is given no expiry";
  if (CanSet<T> && !FullSet<T> && claims(OMNISTORE_CAN_META))
    throw "OMNISTORE_CAN_META needs the full form of set: the simple one is given no user meta";
  if (CanSet<T> && !FullSet<T> &&
      claims(OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH))
    throw "OMNISTORE_CAN_IF_... needs the full form of set: the simple one is given no condition";
  if (CanSet<T> && !FullSet<T> && claims(OMNISTORE_CAN_STREAM))
    throw "OMNISTORE_CAN_STREAM needs the full form of set: the simple one is given no source";
  if (CanRemove<T> && !FullRemove<T> && claims(OMNISTORE_CAN_IF_MATCH))
    throw "OMNISTORE_CAN_IF_MATCH needs the full form of remove: the simple one is given no "
          "condition";
  if (!FullGet<T> && claims(OMNISTORE_CAN_RANGE))
    throw "OMNISTORE_CAN_RANGE needs the full form of get: the simple one reads whole values";
  if (!FullGet<T> && claims(OMNISTORE_CAN_ETAG))
    throw "OMNISTORE_CAN_ETAG needs the full form of get";
  if (!FullGet<T> && claims(OMNISTORE_CAN_META))
    throw "OMNISTORE_CAN_META needs the full form of get";
  if (!FullList<T> && claims(OMNISTORE_CAN_LIST_META))
    throw "OMNISTORE_CAN_LIST_META needs the full form of list: the simple one gives keys alone";
  if (!FullList<T> && !SimpleList<T> &&
      claims(OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS))
    throw "OMNISTORE_CAN_LIST_... needs list";
  if (traits.order < OMNISTORE_ORDER_KEYS && claims(OMNISTORE_CAN_LIST_REVERSE))
    throw "OMNISTORE_CAN_LIST_REVERSE needs traits.order OMNISTORE_ORDER_KEYS";
  if (!claims(OMNISTORE_CAN_DEPTH) && claims(OMNISTORE_CAN_LIST_FOLDERS))
    throw "OMNISTORE_CAN_LIST_FOLDERS needs OMNISTORE_CAN_DEPTH";
  if (!FullTouch<T> && claims(OMNISTORE_CAN_META)) throw "OMNISTORE_CAN_META needs touch";
  if (!FullWatch<T> && claims(OMNISTORE_WATCHES_OWN))
    throw "OMNISTORE_WATCHES_OWN needs watch and unwatch";
}

/// False for every class, so that an assertion fails only if the template is used.
template <class T>
constexpr bool is_lasting = false;

// ---------------------------------------------------------------------------------- construction

template <class T>
struct NestedOptions {
  using type = void;
};
template <class T>
requires HasFields<typename T::Options>
struct NestedOptions<T> {
  using type = typename T::Options;
};

/// Converts to the type of options that a constructor takes.
template <class T>
struct OptionsArgument {
  std::string_view json;

  operator Options() const { return Options(json); }
  template <class S>
  requires(std::same_as<S, typename NestedOptions<T>::type>) operator S() const {
    S into{};
    S::fields(Filler<S>{into, Options(json)});
    return into;
  }
};

template <class T>
concept FullValidate = requires(const OptionsArgument<T> &o, std::uint32_t n, Problems &p) {
  { T::validate(o, n, p) } -> std::same_as<void>;
};
/// Checks the form of validate, as check_members does for the other members.
template <class T>
constexpr bool check_validate() {
  static_assert(FullValidate<T> || !Has_validate::in<T>(),
                "validate is not static, or not of the form in driver.hpp, or is not public");
  return true;
}

/// An opened store and its host.
template <class T>
struct OpenStore {
  const omnistore_host *host;
  T store;
};

using Children = std::span<const omnistore_store *const>;

template <class T>
OpenStore<T> *make(const omnistore_host &host, const omnistore_open_request &request,
                   omnistore_traits &traits, Call call) {
  using O = OptionsArgument<T>;
  using H = const omnistore_host &;
  const O options{as_view(request.options)};
  const Children children(request.children, request.child_count);
  if constexpr (std::is_constructible_v<T, H, O, omnistore_traits &, Children, Call>) {
    return new OpenStore<T>{&host, T(host, options, traits, children, call)};
  } else if constexpr (std::is_constructible_v<T, H, O, omnistore_traits &, Children>) {
    return new OpenStore<T>{&host, T(host, options, traits, children)};
  } else if constexpr (std::is_constructible_v<T, H, O, omnistore_traits &>) {
    return new OpenStore<T>{&host, T(host, options, traits)};
  } else if constexpr (std::is_constructible_v<T, O>) {
    return new OpenStore<T>{&host, T(options)};
  } else {
    static_assert(std::is_default_constructible_v<T>,
                  "no constructor is one of the forms in driver.hpp");
    return new OpenStore<T>{&host, T()};
  }
}

} // namespace omnistore::sdk
