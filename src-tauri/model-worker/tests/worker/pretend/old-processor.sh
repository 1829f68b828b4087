#!/bin/sh
# A worker on a processor without AVX2.
echo '{"id":0,"say":"failed","kind":"processor","message":"The processor lacks instructions (AVX2)."}'
exit 3
