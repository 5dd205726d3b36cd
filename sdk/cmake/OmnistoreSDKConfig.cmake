# SPDX-License-Identifier: Apache-2.0
# find_package(OmnistoreSDK): the target Omnistore::sdk (the headers) and omnistore_add_driver().
include(${CMAKE_CURRENT_LIST_DIR}/OmnistoreSDKTargets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/OmnistoreDriver.cmake)
