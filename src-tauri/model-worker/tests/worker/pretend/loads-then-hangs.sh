#!/bin/sh
# A worker that loads, begins to write, and then hears nothing any more.
while read -r line; do
  rest=${line#*:}
  id=${rest%%,*}
  case $line in
    *'"ask":"load"'*)
      echo '{"id":'"$id"',"say":"loaded","name":"Pretended","architecture":"llama","licence":null,"parameters":1,"context":512,"trained_context":512,"size_bytes":1}' ;;
    *)
      echo '{"id":'"$id"',"say":"piece","text":"Half a","tokens":2}'
      exec sleep 600 ;;
  esac
done
