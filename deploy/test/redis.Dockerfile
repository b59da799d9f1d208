# redis.Dockerfile -- stands for the redis image where no registry is reached: Debian's Redis with the same command line.
FROM debian:bookworm-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends redis-server
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
