# kafka.Dockerfile -- stands for the apache/kafka image where no registry is reached: the same Kafka from its jars, and the same
# KAFKA_* environment turned into server.properties.
FROM debian:bookworm-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends openjdk-17-jre-headless
COPY jars /opt/kafka/libs
COPY kafka-run.sh /opt/kafka/run.sh
RUN useradd --system appuser && mkdir -p /var/lib/kafka/data && chown -R appuser /var/lib/kafka
USER appuser
VOLUME /var/lib/kafka/data
CMD ["sh", "/opt/kafka/run.sh"]
