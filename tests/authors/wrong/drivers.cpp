// SPDX-License-Identifier: Apache-2.0
// Drivers that are wrong in one way each. Each sentence after "says:" must stand in what the compiler says.
#include <omnistore/driver.hpp>

namespace {

using omnistore::Call;
using omnistore::Key;
using omnistore::Value;

struct Right {
  std::optional<Value> get(Key) { return {}; }
  void set(Key, std::string_view) {}
  bool remove(Key) { return false; }
};
struct Listing : Right {
  void list(Key, omnistore::Emit) {}
};

// says: get is missing, or is not one of the forms in driver.hpp, or is not public
class PrivateGet {
  std::optional<Value> get(Key) { return {}; }
};
// says: set is not one of the forms in driver.hpp, or is not public
class PrivateSet {
public:
  std::optional<Value> get(Key) { return {}; }

private:
  void set(Key, std::string_view) {}
};
// says: touch is not of the form in driver.hpp, or is not public
class PrivateTouch : public Right {
  omnistore_status touch(Call, Key, const omnistore_touch_request &);
};
// says: stat is not of the form in driver.hpp, or is not public
struct OverloadedStat : Right {
  omnistore_status stat(Key);
  omnistore_status stat(Key, int);
};
// says: remove_many is not of the form in driver.hpp, or is not public
struct OtherArguments : Right {
  omnistore_status remove_many(Call, std::span<const omnistore_bytes>, omnistore_status *);
};
// says: clear is not of the form in driver.hpp, or is not public
struct OtherResult : Right {
  void clear(Call, const omnistore_clear_request &, omnistore_page *);
};
// says: watch and unwatch are not both of the forms in driver.hpp, or are not public
struct UnwatchAlone : Right {
  void unwatch(void *);
};
// says: validate is not static, or not of the form in driver.hpp, or is not public
struct ValidateOfAnObject : Right {
  void validate(const omnistore::Options &, std::uint32_t, omnistore::Problems &);
};
// says: a driver has no member getMany; call it get_many
class Misspelt : public Right {
  omnistore_status getMany(int);
};
// says: a driver has no member setItem; call it set
struct NamedElsewhere : Right {
  void setItem(Key, std::string_view);
};

constexpr omnistore_traits claiming(std::uint64_t capabilities) {
  return {sizeof(omnistore_traits), OMNISTORE_SERIALIZED, capabilities, 0, 0, 0, 0, 0, 0, 0, 0};
}
template <std::uint64_t Capabilities>
constexpr omnistore_traits claims = claiming(Capabilities);
template <class T, std::uint64_t Capabilities>
constexpr omnistore_driver claimed = omnistore::driver<T>("a", "1", "Claims", nullptr, claims<Capabilities>);

template <class... T>
void members() {
  (void)(omnistore::driver<T>("a", "1", "Wrong").size + ...);
}

} // namespace

void wrong() {
  members<Right, PrivateGet, PrivateSet, PrivateTouch, OverloadedStat, OtherArguments, OtherResult, UnwatchAlone,
          ValidateOfAnObject, Misspelt, NamedElsewhere>();
  // says: the traits are a value that would be gone: name a constexpr at namespace scope
  (void)omnistore::driver<Right>("a", "1", "Wrong", nullptr, claiming(0));
  // says: OMNISTORE_CAN_TTL needs the full form of set
  (void)claimed<Right, OMNISTORE_CAN_TTL>;
  // says: OMNISTORE_CAN_META needs the full form of set
  (void)claimed<Right, OMNISTORE_CAN_META>;
  // says: OMNISTORE_CAN_IF_... needs the full form of set
  (void)claimed<Right, OMNISTORE_CAN_IF_ABSENT>;
  // says: OMNISTORE_CAN_STREAM needs the full form of set
  (void)claimed<Right, OMNISTORE_CAN_STREAM>;
  // says: OMNISTORE_CAN_RANGE needs the full form of get
  (void)claimed<Right, OMNISTORE_CAN_RANGE>;
  // says: OMNISTORE_CAN_ETAG needs the full form of get
  (void)claimed<Right, OMNISTORE_CAN_ETAG>;
  // says: OMNISTORE_CAN_LIST_META needs the full form of list
  (void)claimed<Right, OMNISTORE_CAN_LIST_META>;
  // says: OMNISTORE_CAN_LIST_... needs list
  (void)claimed<Right, OMNISTORE_CAN_LIST_RANGE>;
  // says: OMNISTORE_CAN_LIST_REVERSE needs traits.order OMNISTORE_ORDER_KEYS
  (void)claimed<Listing, OMNISTORE_CAN_LIST_REVERSE>;
  // says: OMNISTORE_CAN_LIST_FOLDERS needs OMNISTORE_CAN_DEPTH
  (void)claimed<Listing, OMNISTORE_CAN_LIST_FOLDERS>;
  // says: OMNISTORE_WATCHES_OWN needs watch and unwatch
  (void)claimed<Right, OMNISTORE_WATCHES_OWN>;
}
