//! Black-box tests: the command line, images against foreign tools, booted machines.
