#!/bin/sh
# Stands for a program that installs something: notes which it was, in which folder, and a variable that it knows.
set -eu
mkdir -p /var/lib/demo
echo "$1 in ${PWD##*/} for a $ROLE" >>/var/lib/demo/installed
