# How a room becomes a static library and a program an executable.

# sessiond_room(NAME [USES room...] [LIBS target...])
# All of src/NAME/*.c, except main.c, becomes the static library sessiond_NAME, so unit tests can link
# everything a program is made of.
function(sessiond_room room)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LIBS")
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    list(TRANSFORM arg_USES PREPEND sessiond_ OUTPUT_VARIABLE used_rooms)

    add_library(sessiond_${room} STATIC ${sources})
    target_include_directories(sessiond_${room} PRIVATE ${PROJECT_SOURCE_DIR}/src/${room})
    target_link_libraries(sessiond_${room} PUBLIC ${used_rooms} ${arg_LIBS} sessiond_flags)
    if(BUILD_TESTING)
        sessiond_check_links(${room})
    endif()
endfunction()

# A static library hides a call into a room it may not use until a program happens to link both.
# Linking every object of the room with its allowed rooms alone shows it at once.
function(sessiond_check_links room)
    set(empty_main ${PROJECT_BINARY_DIR}/empty_main.c)
    file(CONFIGURE OUTPUT ${empty_main} CONTENT "int main(void)\n{\n    return 0;\n}\n")
    add_executable(links_${room} ${empty_main})
    target_link_libraries(links_${room} PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,sessiond_${room}>)
endfunction()

# sessiond_program(NAME FROM room): an executable of src/ROOM/main.c and its room.
function(sessiond_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "FROM" "")
    add_executable(${name} ${PROJECT_SOURCE_DIR}/src/${arg_FROM}/main.c)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src/${arg_FROM})
    target_link_libraries(${name} PRIVATE sessiond_${arg_FROM})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endfunction()
