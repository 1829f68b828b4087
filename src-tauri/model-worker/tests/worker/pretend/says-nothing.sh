#!/bin/sh
# A worker that never says a word.
exec sleep 600
