# cmake --install: the headers, a CMake package and a pkg-config file. All of it may be moved as a whole.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(zeroipc_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/zeroipc)
set(zeroipc_pkgconfig_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)
set(zeroipc_made ${CMAKE_CURRENT_BINARY_DIR}/package)

install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT core FILES_MATCHING PATTERN "*.hpp")
install(TARGETS zeroipc EXPORT zeroipc COMPONENT core)
install(EXPORT zeroipc NAMESPACE zeroipc:: FILE zeroipcTargets.cmake DESTINATION ${zeroipc_package_dir} COMPONENT core)

configure_package_config_file(zeroipcConfig.cmake.in ${zeroipc_made}/zeroipcConfig.cmake
  INSTALL_DESTINATION ${zeroipc_package_dir})
write_basic_package_version_file(${zeroipc_made}/zeroipcConfigVersion.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
install(FILES ${zeroipc_made}/zeroipcConfig.cmake ${zeroipc_made}/zeroipcConfigVersion.cmake
        DESTINATION ${zeroipc_package_dir} COMPONENT core)

# Paths as seen from the file itself, so that it is right wherever the installation is moved to.
file(RELATIVE_PATH zeroipc_prefix_from_pkgconfig /root/${zeroipc_pkgconfig_dir} /root)
string(REGEX REPLACE "/$" "" zeroipc_prefix_from_pkgconfig ${zeroipc_prefix_from_pkgconfig})
configure_file(zeroipc.pc.in ${zeroipc_made}/zeroipc.pc @ONLY)
install(FILES ${zeroipc_made}/zeroipc.pc DESTINATION ${zeroipc_pkgconfig_dir} COMPONENT core)
