# SPDX-License-Identifier: Apache-2.0
# CPack runs this before it makes the packages: it brings the installed tree of each into the form of Debian's policy.
cmake_minimum_required(VERSION 3.25)

foreach(pair ${CPACK_OMNISTORE_PACKAGES})
  string(REGEX MATCH "^(.*)=(.*)$" _ ${pair})
  set(component ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component})
  if(NOT IS_DIRECTORY ${root})
    message(FATAL_ERROR "${root} is missing")
  endif()

  # The SDK and the library are complete in an installed prefix. As packages they depend on that of the program.
  if(NOT component STREQUAL "host")
    file(REMOVE_RECURSE ${root}/usr/bin ${root}/usr/libexec)
  endif()
  if(component STREQUAL "sdk")
    file(REMOVE_RECURSE ${root}/usr/lib/omnistore)
    file(RENAME ${root}/usr/lib/pkgconfig ${root}/usr/share/pkgconfig) # it is for every architecture
    file(WRITE ${root}/usr/share/lintian/overrides/${name}
      "# A project that new-driver makes begins with it.\n${name}: package-contains-vcs-control-file\n")
  endif()

  if(component STREQUAL "host")
    file(REMOVE ${root}/usr/share/man/man1/omnistore-test-driver.1) # the SDK's
    file(COPY_FILE ${CPACK_OMNISTORE_SOURCE}/config/systemd/omnistore.jsonc ${root}/omnistore.jsonc)
    file(MAKE_DIRECTORY ${root}/etc/omnistore ${root}/lib)
    file(RENAME ${root}/omnistore.jsonc ${root}/etc/omnistore/omnistore.jsonc)
    file(RENAME ${root}/usr/lib/systemd ${root}/lib/systemd)
    file(RENAME ${root}/usr/share/zsh/site-functions ${root}/usr/share/zsh/vendor-completions) # Debian's zsh looks there
  endif()

  file(GLOB archives ${root}/usr/lib/*.a)
  if(archives)
    execute_process(COMMAND strip --strip-debug --remove-section=.comment --remove-section=.note
      --enable-deterministic-archives ${archives} COMMAND_ERROR_IS_FATAL ANY)
  endif()
  file(GLOB_RECURSE pages ${root}/usr/share/man/*)
  if(pages)
    execute_process(COMMAND gzip -9nf ${pages} COMMAND_ERROR_IS_FATAL ANY)
  endif()

  set(docs ${root}/usr/share/doc/${name})
  file(MAKE_DIRECTORY ${docs})
  execute_process(COMMAND ${CPACK_OMNISTORE_SOURCE}/scripts/debian/copyright ${CPACK_OMNISTORE_BUILD} ${root}
    OUTPUT_FILE ${docs}/copyright COMMAND_ERROR_IS_FATAL ANY)
  # The date of a changelog is in the form of RFC 5322.
  execute_process(COMMAND date --utc --rfc-email --date=${CPACK_OMNISTORE_RELEASED} OUTPUT_VARIABLE date
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  file(WRITE ${docs}/changelog "omnistore (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium\n\n"
    "  * This version was built by scripts/package.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  execute_process(COMMAND gzip -9nf ${docs}/changelog COMMAND_ERROR_IS_FATAL ANY)
endforeach()
# Everything belongs to everybody's reading, and to root's writing alone.
execute_process(COMMAND find ${CPACK_TEMPORARY_DIRECTORY} -type d -exec chmod 755 {} +)
execute_process(COMMAND find ${CPACK_TEMPORARY_DIRECTORY} -type f -perm /u+x -exec chmod 755 {} +)
execute_process(COMMAND find ${CPACK_TEMPORARY_DIRECTORY} -type f -not -perm /u+x -exec chmod 644 {} +)
execute_process(COMMAND find ${CPACK_TEMPORARY_DIRECTORY} -name "*.so" -exec chmod 644 {} +)
