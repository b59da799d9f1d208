#!/bin/sh
# kafka-run.sh -- what the apache/kafka image does at its start: settings from the environment, a formatted folder, the broker.
set -eu
conf=/tmp/server.properties
env | sed -n 's/^KAFKA_\([A-Z_]*\)=/\1=/p' | while IFS='=' read -r name value; do
	echo "$(echo "$name" | tr 'A-Z_' 'a-z.')=$value"
done >"$conf"
[ -f /var/lib/kafka/data/meta.properties ] || java -cp '/opt/kafka/libs/*' kafka.tools.StorageTool format \
	-t "$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)" -c "$conf"
exec java -Xmx512m -cp '/opt/kafka/libs/*' kafka.Kafka "$conf"
