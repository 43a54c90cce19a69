# What is installed, and where: GNUInstallDirs, and systemd's places under the same prefix.
# Not here: what a package adds.
set(SESSIOND_SYSTEMD_DIR lib/systemd/system CACHE STRING "Where units go, below the prefix")
set(SESSIOND_SYSUSERS_DIR lib/sysusers.d CACHE STRING "Where systemd-sysusers looks, below the prefix")

install(TARGETS sessiond RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS sessionctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES sessiond.conf.example README.md LICENSE docs/SERVICE.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The units name programs, the config file and the docs as they are below /usr.
function(sessiond_install_unit name)
    file(READ packaging/systemd/${name} text)
    string(REPLACE /usr/sbin/ ${CMAKE_INSTALL_FULL_SBINDIR}/ text "${text}")
    string(REPLACE /usr/bin/ ${CMAKE_INSTALL_FULL_BINDIR}/ text "${text}")
    string(REPLACE /usr/share/doc/sessiond/ ${CMAKE_INSTALL_FULL_DOCDIR}/ text "${text}")
    string(REPLACE " /etc/" " ${CMAKE_INSTALL_FULL_SYSCONFDIR}/" text "${text}")
    file(CONFIGURE OUTPUT systemd/${name} CONTENT "${text}" @ONLY)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS packaging/systemd/${name})
    install(FILES ${PROJECT_BINARY_DIR}/systemd/${name} DESTINATION ${SESSIOND_SYSTEMD_DIR})
endfunction()

sessiond_install_unit(sessiond.service)
sessiond_install_unit(sessiond.socket)
install(FILES packaging/systemd/sessiond.sysusers DESTINATION ${SESSIOND_SYSUSERS_DIR} RENAME sessiond.conf)
install(FILES packaging/systemd/lan.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
