# Sourced by the demonstration's programs; defines functions and runs nothing.

demo_library_version() {
    cat /usr/lib/demo-library/version
}

# Numbers the lines of standard input.
demo_library_number_lines() {
    number=0
    while IFS= read -r line; do
        number=$((number + 1))
        printf '%4d  %s\n' "$number" "$line"
    done
}
