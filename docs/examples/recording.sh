#!/bin/sh
# A recording by curl: sent, waited for, read.
#
# BOX_HTTP=https://lingting.example.cn:9000 BOX_CA=ca.pem BOX_KEY=lt_... sh recording.sh call.wav
set -eu
ask() { curl --silent --show-error --fail-with-body --cacert "$BOX_CA" -H "Authorization: Bearer $BOX_KEY" "$@"; }

answer=$(ask -F "file=@$1" -F call_id=example-curl \
  -H "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" "$BOX_HTTP/api/v1/recordings") ||
  { echo "$answer" >&2; exit 1; }
id=$(echo "$answer" | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p')
while ask "$BOX_HTTP/api/v1/recordings/$id" | grep -qE '"state": *"(queued|running)"'; do sleep 1; done
ask "$BOX_HTTP/api/v1/calls/$id"
