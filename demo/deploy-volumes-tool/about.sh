#!/bin/sh
# Says how it was called, in which folder and by which step, and sets a variable of the sequence.
set -eu
echo "TOLD=from a script" >>"$SMSTS_VARIABLES_FILE"
echo "$1 in ${PWD##*/} by ${_SMSTSCurrentActionName:?}"
