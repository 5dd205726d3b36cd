# SPDX-License-Identifier: Apache-2.0
# Installs the SDK alone, builds the examples against it and nothing else, and loads what was built.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(code)
    message(FATAL_ERROR "${ARGN}: ${code}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${FOLDER})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${FOLDER}/prefix --component sdk)

file(GLOB host RELATIVE ${SOURCE}/host/include ${SOURCE}/host/include/omnistore/*)
foreach(header ${host})
  if(EXISTS ${FOLDER}/prefix/include/${header})
    message(FATAL_ERROR "the SDK installs a header of the host: ${header}")
  endif()
endforeach()

# The examples as they are installed.
file(COPY ${FOLDER}/prefix/share/omnistore/examples ${FOLDER}/prefix/share/omnistore/template DESTINATION ${FOLDER})
set(configure ${CMAKE_COMMAND} -G Ninja -DCMAKE_PREFIX_PATH=${FOLDER}/prefix -DCMAKE_C_COMPILER=${CC}
  -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=Debug)
run(${configure} -S ${FOLDER}/examples -B ${FOLDER}/build)
run(${CMAKE_COMMAND} --build ${FOLDER}/build -j 2)
run(${CMAKE_COMMAND} -E env OMNISTORE_EXAMPLES=${FOLDER}/build/examples ${TEST} "both examples:*")

# A missing symbol of a plugin is an error of the link, not of the load.
file(WRITE ${FOLDER}/broken/CMakeLists.txt "cmake_minimum_required(VERSION 3.25)\nproject(broken LANGUAGES C)\n"
  "find_package(OmnistoreSDK 1.0 REQUIRED)\nomnistore_add_driver(broken SOURCES broken.c)\n")
file(WRITE ${FOLDER}/broken/broken.c "#include <omnistore/driver.h>\nconst omnistore_plugin *missing(void);\n"
  "const omnistore_plugin *omnistore_plugin_entry(const omnistore_abi *host) { (void)host; return missing(); }\n")
run(${configure} -S ${FOLDER}/broken -B ${FOLDER}/broken/build)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${FOLDER}/broken/build RESULT_VARIABLE code OUTPUT_VARIABLE output
  ERROR_VARIABLE output)
if(NOT code OR NOT output MATCHES "undefined reference to `missing'")
  message(FATAL_ERROR "a plugin with an undefined symbol was linked: ${output}")
endif()
