# What is installed, and where: GNUInstallDirs, and systemd's places under the same prefix.
# Not here: what a package adds.
set(SESSIOND_SYSTEMD_DIR lib/systemd/system CACHE STRING "Where units go, below the prefix")
set(SESSIOND_SYSUSERS_DIR lib/sysusers.d CACHE STRING "Where systemd-sysusers looks, below the prefix")

install(TARGETS sessiond RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS sessionctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES sessiond.conf.example README.md docs/SERVICE.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT licence)

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

foreach(section 1 5 8)
    file(GLOB pages CONFIGURE_DEPENDS docs/man/*.${section})
    install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
# One script for both programs: bash looks for a file of the program's name.
foreach(program sessionctl sessiond)
    install(FILES packaging/completion/sessionctl DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME ${program})
endforeach()
# Settings that are there stay. Of group sessiond and so readable by it they are made by whoever makes the user.
install(CODE "
    set(place ${CMAKE_INSTALL_FULL_SYSCONFDIR}/sessiond)
    if(NOT EXISTS \$ENV{DESTDIR}\${place}/sessiond.conf)
        file(INSTALL ${PROJECT_SOURCE_DIR}/packaging/sessiond.conf DESTINATION \${place}
            PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
    endif()")
