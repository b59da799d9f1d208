/* up_parts.c -- the parts of a Barque on one machine: Redis, the broker, the exchange or its simulator, the API, the workers. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/up.h"

#define START_MS 20000

/* broker-config/redis.conf, linked in so that the program needs no file beside it. */
extern const char redis_conf_start[] __asm__("_binary_broker_config_redis_conf_start");
extern const char redis_conf_end[] __asm__("_binary_broker_config_redis_conf_end");
extern const char mend_aof_start[] __asm__("_binary_broker_config_mend_aof_sh_start");
extern const char mend_aof_end[] __asm__("_binary_broker_config_mend_aof_sh_end");

static const char *env_of(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

int64_t up_number(const char *text, int64_t fallback, int64_t min, int64_t max)
{
	int64_t n;
	return text && str_int(text, min, max, &n) ? n : fallback;
}

struct port {
	const char *setting, *name; /* name: NULL for the one that answers everything */
	int fallback;
};

static const struct port ports[] = {{"API_PORT", NULL, 8000}, {"DATA_SERVICE_PORT", "data", 8001},
        {"BACKTEST_SERVICE_PORT", "backtest", 8002}, {"ORDER_SERVICE_PORT", "order", 8003}};

/* The ports as they were set: a number, auto, or 0 for none. */
static void name_services(struct up *u)
{
	struct buf text = {0};
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		const char *given = env_of(ports[i].setting);
		if (!ports[i].name || (given && str_eq(given, "0")))
			continue;
		buf_addf(&text, "%s %s ", text.len ? "," : "ports", ports[i].name);
		if (given)
			buf_adds(&text, given);
		else
			buf_addf(&text, "%d", ports[i].fallback);
	}
	snprintf(u->services, sizeof u->services, "%s", text.len ? buf_text(&text) : "none of their own");
	buf_close(&text);
}

static bool port_is_free(int port)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	bool is_free = s >= 0 && bind(s, (struct sockaddr *)&at, sizeof at) == 0;
	close(s);
	return is_free;
}

/* A port that nobody listens on just now. */
static int free_port(void)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	bool ok = s >= 0 && bind(s, (struct sockaddr *)&at, sizeof at) == 0 && getsockname(s, (struct sockaddr *)&at, &size) == 0;
	close(s);
	return ok ? ntohs(at.sin_port) : 0;
}

bool up_ports_free(struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		int port = (int)up_number(env_of(ports[i].setting), ports[i].fallback, 0, 65535);
		if (port && !port_is_free(port))
			return err_set(e, ERR_CONFLICT,
			        "port %d is in use; stop the program that holds it, or set %s to another port (0: none)", port,
			        ports[i].setting);
	}
	return true;
}

static bool write_redis_conf(const char *path, struct err *e)
{
	FILE *f = fopen(path, "w");
	size_t len = (size_t)(redis_conf_end - redis_conf_start);
	bool ok = f && fwrite(redis_conf_start, 1, len, f) == len;
	if (f && fclose(f) != 0)
		ok = false;
	return ok ? true
	          : err_set(e, ERR_IO, "%s cannot be written: %s; free space or choose another folder with --data", path, strerror(errno));
}

/* Does Redis answer this command, given with its line's end, so? */
static bool redis_answers(const char *path, const char *command, const char *wanted)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char answer[16] = "";
	ssize_t len = (ssize_t)strlen(command), n = (ssize_t)strlen(wanted);
	if (!str_copy(at.sun_path, sizeof at.sun_path, path))
		return false;
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = 1};
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	bool ok = s >= 0 && connect(s, (struct sockaddr *)&at, sizeof at) == 0 && write(s, command, (size_t)len) == len &&
	          read(s, answer, (size_t)n) == n;
	close(s);
	return ok && memcmp(answer, wanted, (size_t)n) == 0;
}

static bool wait_redis(struct child *c, const char *path, struct err *e)
{
	for (int64_t until = clock_mono_ms() + START_MS; clock_mono_ms() < until; clock_sleep_ms(50)) {
		if (redis_answers(path, "PING\r\n", "+PONG"))
			return true;
		if (!child_is_running(c))
			break;
	}
	char why[UP_LINE];
	child_why(c, why, sizeof why);
	return err_set(e, ERR_UNAVAILABLE, "redis-server did not start: %s (is the package redis-server installed?)", why);
}

/* What programs of another version have loaded there is in the way at best: this server is only ours, and ours load what they need. */
static bool forget_functions(const char *path, struct err *e)
{
	return redis_answers(path, "FUNCTION FLUSH\r\n", "+OK") ||
	       err_set(e, ERR_UNAVAILABLE, "redis-server has no functions: Barque needs Redis 7.0 or newer, or Valkey");
}

bool up_redis(struct up *u, struct err *e)
{
	const char *given = env_of("QUEUE_URL");
	if (given)
		return str_copy(u->queue_url, sizeof u->queue_url, given) ? true : err_set(e, ERR_INVALID, "QUEUE_URL is too long");
	struct buf conf = {0}, dir = {0}, path = {0};
	buf_addf(&conf, "%s/redis.conf", u->run);
	buf_addf(&dir, "%s/redis", u->run);
	buf_addf(&path, "%s/redis.sock", u->run);
	if (path.len > 100) { /* a socket's path may have 107 bytes */
		buf_clear(&path);
		buf_addf(&path, "/tmp/barque-%d.sock", (int)getpid());
	}
	/* The script looks after what the server left when it was killed, each time before it starts, and becomes the server. */
	struct child *c = up_child(u, "redis", "sh");
	child_arg(c, "-c");
	child_arg(c, "%.*s", (int)(mend_aof_end - mend_aof_start), mend_aof_start);
	child_arg(c, "mend-aof.sh");
	child_arg(c, "%s", buf_text(&dir));
	child_arg(c, "redis-server");
	child_arg(c, "%s", buf_text(&conf));
	const char *const words[] = {"--port", "0", "--daemonize", "no", "--logfile", "", "--unixsocketperm", "700"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		child_arg(c, "%s", words[i]);
	child_arg(c, "--unixsocket");
	child_arg(c, "%s", buf_text(&path));
	child_arg(c, "--dir");
	child_arg(c, "%s", buf_text(&dir));
	c->keep = true;
	c->stop_ms = 15000;
	snprintf(u->queue_url, sizeof u->queue_url, "redis+unix://%s", buf_text(&path));
	bool ok = mkdir(buf_text(&dir), 0700) == 0 || errno == EEXIST
	                  ? true
	                  : err_set(e, ERR_IO, "%s cannot be made: %s", buf_text(&dir), strerror(errno));
	ok = ok && write_redis_conf(buf_text(&conf), e) && child_start(c, e) && wait_redis(c, buf_text(&path), e) &&
	     forget_functions(buf_text(&path), e);
	buf_close(&conf);
	buf_close(&dir);
	buf_close(&path);
	return ok;
}

/* "listening on ADDRESS" -> ADDRESS. */
static bool listening(const char *line, char *out, size_t size)
{
	static const char prefix[] = "listening on ";
	return str_starts(line, prefix) && str_copy(out, size, line + sizeof prefix - 1);
}

bool up_broker(struct up *u, struct err *e)
{
	const char *given = env_of("KAFKA_BROKERS");
	if (given)
		return str_copy(u->kafka, sizeof u->kafka, given) ? true : err_set(e, ERR_INVALID, "KAFKA_BROKERS is too long");
	char line[UP_LINE];
	struct child *c = up_child(u, "devbroker", "barque-devbroker");
	child_arg(c, "--die-with-parent");
	child_arg(c, "--port"); /* a fixed one: started again, it must be found where it was */
	child_arg(c, "%d", free_port());
	c->keep = true;
	c->lost = "the events that it kept are gone, new ones are sent again";
	if (!child_start(c, e) || !child_first_line(c, line, sizeof line, START_MS, e))
		return false;
	if (!listening(line, u->kafka, sizeof u->kafka))
		return err_set(e, ERR_CORRUPT, "the development broker said '%s' in place of its address", line);
	return true;
}

static bool exchange_answers(const char *url)
{
	struct err ignored = {0};
	struct buf ping = {0};
	struct http_client_options quick = {.connect_timeout_ms = 3000, .timeout_ms = 5000, .stall_timeout_ms = 5000};
	struct http_client *http = http_client_open(&quick, &ignored);
	struct http_answer answer = {0};
	buf_addf(&ping, "%s/fapi/v1/ping", url);
	struct http_call call = {.url = buf_text(&ping)};
	bool ok = http && http_client_call(http, &call, &answer, &ignored) && answer.status == 200;
	http_answer_close(&answer);
	http_client_close(&http);
	buf_close(&ping);
	return ok;
}

static bool start_sim(struct up *u, struct err *e)
{
	char line[UP_LINE], address[UP_LINE - 16];
	struct child *c = up_child(u, "exchange-sim", "barque-exchange-sim");
	c->keep = true;
	child_arg(c, "--port");
	child_arg(c, "%d", free_port());
	const char *const words[] = {"--die-with-parent", "--seed", "7", "--symbols",
	        "BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT,DOGEUSDT,ADAUSDT,AVAXUSDT,LINKUSDT,DOTUSDT,LTCUSDT"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		child_arg(c, "%s", words[i]);
	if (!child_start(c, e) || !child_first_line(c, line, sizeof line, START_MS, e))
		return false;
	if (!listening(line, address, sizeof address))
		return err_set(e, ERR_CORRUPT, "the exchange simulator said '%s' in place of its address", line);
	snprintf(u->exchange, sizeof u->exchange, "http://%s", address);
	u->sim = true;
	return true;
}

bool up_exchange(struct up *u, struct err *e)
{
	const char *mode = args_get(u->c, "exchange", "auto");
	const char *url = env_of("EXCHANGE_URL") ? env_of("EXCHANGE_URL") : "https://fapi.binance.com";
	if (!str_copy(u->exchange, sizeof u->exchange, url))
		return err_set(e, ERR_INVALID, "EXCHANGE_URL is too long");
	if (str_eq(mode, "sim"))
		return start_sim(u, e);
	if (str_eq(mode, "real") || exchange_answers(u->exchange))
		return true;
	printf("The exchange %s cannot be reached from here: its simulator answers in its place, with made-up candles.\n", u->exchange);
	return start_sim(u, e);
}

static void shared_env(const struct up *u, struct child *c)
{
	child_env(c, "QUEUE_URL=%s", u->queue_url);
	child_env(c, "STORE_URL=%s", u->store_url);
	child_env(c, "KAFKA_BROKERS=%s", u->kafka);
	child_env(c, "EXCHANGE_URL=%s", u->exchange);
	child_env(c, "RECORDS_DIR=%s/backtrade_records", u->data);
}

bool up_api(struct up *u, struct err *e)
{
	char line[UP_LINE], address[UP_LINE - 16];
	struct child *c = up_child(u, "api", "barque-api");
	shared_env(u, c);
	c->keep = true;
	if (!child_start(c, e) || !child_first_line(c, line, sizeof line, START_MS, e))
		return false;
	line[strcspn(line, ",")] = '\0';
	if (!listening(line, address, sizeof address))
		return err_set(e, ERR_CORRUPT, "the API said '%s' in place of its address", line);
	address[strcspn(address, " ")] = '\0';
	snprintf(u->api_url, sizeof u->api_url, "http://%s", address);
	name_services(u);
	return true;
}

bool up_workers(struct up *u, struct err *e)
{
	int64_t n = up_number(args_get(u->c, "workers", NULL), 1, 1, UP_WORKERS);
	for (int64_t i = 1; i <= n; i++) {
		char name[24];
		snprintf(name, sizeof name, "worker-%d", (int)i);
		struct child *c = up_child(u, name, "barque-worker");
		shared_env(u, c);
		child_env(c, "CACHE_DIR=%s/db/cache", u->data);
		c->keep = c->may_end = true;
		c->stop_ms = 40000;
		if (!child_start(c, e))
			return false;
	}
	return true;
}
