#!/bin/sh
# A worker that cannot have the memory it wants.
read -r line
echo "terminate called after throwing an instance of 'std::bad_alloc'" >&2
kill -ABRT $$
