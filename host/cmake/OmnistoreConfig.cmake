# SPDX-License-Identifier: Apache-2.0
# find_package(Omnistore): the target Omnistore::omnistore, the host as a library. It is static, so that what it was
# built with is needed again when a program is linked.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Boost 1.81 COMPONENTS json filesystem)
find_dependency(spdlog)
find_dependency(OmnistoreSDK 1.0 PATHS ${CMAKE_CURRENT_LIST_DIR}/../OmnistoreSDK NO_DEFAULT_PATH)
include(${CMAKE_CURRENT_LIST_DIR}/OmnistoreTargets.cmake)
