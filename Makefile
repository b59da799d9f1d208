# Makefile -- builds Barque. It names no source file: folders say what belongs to what. `make help` lists the targets.
#
# MODE=release (default), debug (failpoints, -O0), asan (address and undefined sanitizers), cover (gcov), fuzz (CC=clang): each has
# its own build/MODE.

comma := ,
MODE ?= release
CC ?= cc
B := build/$(MODE)
PKGS := hiredis rdkafka sqlite3 libcjson libcurl libmicrohttpd libzstd libssl libcrypto
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CHECK_LIBS := $(shell pkg-config --libs check 2>/dev/null) $(shell pkg-config --libs lua5.1 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wwrite-strings \
	-Wformat=2 -Wvla -Wundef -Wcast-qual -Wno-missing-field-initializers -Werror
OPT_release := -O2 -g -DBARQUE_RELEASE
OPT_debug := -O0 -g -DBARQUE_FAILPOINTS
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DBARQUE_FAILPOINTS
OPT_cover := -O0 -g --coverage -DBARQUE_FAILPOINTS
OPT_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-error
LD_asan := -fsanitize=address$(comma)undefined
LD_cover := --coverage
LD_fuzz := -fsanitize=fuzzer$(comma)address$(comma)undefined
CFLAGS_ALL := -std=gnu11 -D_GNU_SOURCE -Ishared -I. $(WARN) $(OPT_$(MODE)) -fno-strict-aliasing -ffp-contract=off -pthread -MMD -MP $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL := $(LD_$(MODE)) -pthread $(LDFLAGS)
LIBS := $(PKG_LIBS) -lm

# Every C file below shared/ is the library; every folder of a program is that program; every file of the test and bench folders is a program.
# Text files that are needed at run time are linked in as they are: _binary_<path with _>_start and _end.
LIB_SRC := $(sort $(wildcard shared/*/*.c))
EMBED := $(sort $(wildcard broker-config/redis.conf broker-config/mend-aof.sh db/migrations/*/*.sql api/*.yaml))
FUNCTIONS := $(sort $(wildcard broker-config/functions/*.lua))
PROGRAMS := api:barque-api workers:barque-worker cli:barque broker-config:barque-devbroker tests/exchange_sim:barque-exchange-sim
TEST_SRC := $(sort $(wildcard tests/unit/test_*.c tests/contract/test_*.c tests/flow/test_*.c tests/api/test_*.c tests/golden/test_*.c tests/e2e/test_*.c tests/chaos/test_*.c tests/sim/test_*.c))
BENCH_SRC := $(sort $(wildcard bench/bench_*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
CHAOS_SHIM := $(sort $(wildcard tests/chaos/shim_*.c))
TEST_LIB_SRC := $(sort $(wildcard tests/lib/*.c) $(filter-out $(wildcard tests/chaos/test_*.c) tests/chaos/judge.c $(CHAOS_SHIM),$(wildcard tests/chaos/*.c)))

LIB := $(B)/libbarque.a
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o) $(EMBED:%=$(B)/embed/%.o) $(B)/embed/barque.lua.o
TEST_LIB_OBJ := $(TEST_LIB_SRC:%.c=$(B)/%.o)
TEST_LIB := $(B)/libtest.a
BIN := $(foreach p,$(PROGRAMS),$(if $(wildcard $(firstword $(subst :, ,$(p)))/*.c),$(B)/$(lastword $(subst :, ,$(p)))))
TEST_BIN := $(TEST_SRC:%.c=$(B)/%)
BENCH_BIN := $(BENCH_SRC:%.c=$(B)/%)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(B)/%)

.PHONY: all run check chaos chaos-peers lint format e2e bench bench-peers fuzz verify cover docs compose-test clean help tests benches fuzzers programs list-tests list-fuzzers
all: programs ## build the programs into build/release

programs: $(BIN)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(TEST_LIB): $(TEST_LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  cc $<"
	@$(CC) $(CFLAGS_ALL) -c $< -o $@

$(B)/embed/%.o: %
	@mkdir -p $(@D)
	@ld -r -b binary -z noexecstack $< -o $@

# The functions inside Redis: one text, linked in as _binary_barque_lua.
$(B)/embed/barque.lua.o: $(FUNCTIONS) broker-config/functions
	@mkdir -p $(@D)
	@cat $(FUNCTIONS) > $(@D)/barque.lua
	@cd $(@D) && ld -r -b binary -z noexecstack barque.lua -o $(@F)

define program
$(B)/$(2): $(patsubst %.c,$(B)/%.o,$(sort $(wildcard $(1)/*.c))) $(LIB)
	@echo "  ld $(2)"
	@$$(CC) $$(LDFLAGS_ALL) $$(filter %.o,$$^) $(LIB) $$(LIBS) -o $$@
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(firstword $(subst :, ,$(p))),$(lastword $(subst :, ,$(p))))))

$(TEST_BIN) $(B)/tests/chaos/judge: $(B)/tests/%: $(B)/tests/%.o $(TEST_LIB) $(LIB)
	@echo "  ld $(@F)"
	@$(CC) $(LDFLAGS_ALL) $(filter %.o,$^) $(TEST_LIB) $(LIB) $(CHECK_LIBS) $(LIBS) -o $@

$(BENCH_BIN): $(B)/bench/%: $(B)/bench/%.o $(TEST_LIB) $(LIB)
	@echo "  ld $(@F)"
	@$(CC) $(LDFLAGS_ALL) $(filter %.o,$^) $(TEST_LIB) $(LIB) $(CHECK_LIBS) $(LIBS) -o $@

$(FUZZ_BIN): $(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(LIB)
	@echo "  ld $(@F)"
	@$(CC) $(LDFLAGS_ALL) $(filter %.o,$^) $(LIB) $(LIBS) -o $@

# What a fault's test preloads into other programs: never with sanitizers, which have to be the first in a process.
$(B)/tests/chaos/shim_%.so: tests/chaos/shim_%.c
	@mkdir -p $(@D)
	@echo "  cc $<"
	@$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fPIC -shared $< -o $@ -ldl

$(filter $(B)/tests/chaos/%,$(TEST_BIN)): $(CHAOS_SHIM:%.c=$(B)/%.so)

tests: $(TEST_BIN)
benches: programs $(BENCH_BIN)
fuzzers: $(FUZZ_BIN)
list-tests:
	@echo $(TEST_BIN)
list-fuzzers:
	@echo $(FUZZ_BIN)

# The recipes below are small; what they do stands in the scripts that they call.
run: all ## build, then start everything with the demonstration
	@exec $(B)/barque up --demo

check: ## every test, with sanitizers, against real servers that the tests start
	@tests/check.sh

e2e: ## end-to-end runs: a whole Barque, and a real Kafka where there is one
	@tests/e2e/run.sh

chaos: ## the matrix of faults at length, less than 30 minutes (CHAOS_SCALE=85 percent, ROWS="R4 R5")
	@tests/chaos/run.sh

chaos-peers: ## the same faults for Celery, Dramatiq and BullMQ, beside ours; some 20 minutes
	@tests/chaos/peers.sh

lint: ## floors, doors, headers, sizes, format, cppcheck, registries against docs
	@tests/lint/lint.sh

format: ## let clang-format rewrite the C files
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

bench: benches all ## print the figures that design promises
	@bench/run.sh

bench-peers: benches all ## the same for other job systems, beside ours
	@bench/peers/run.sh

fuzz: ## run each fuzzer for a while (FUZZ_SECONDS=60)
	@tests/fuzz/run.sh

verify: ## the proof table: golden results against ours
	@tests/golden/verify.sh

cover: ## line coverage of the unit and contract tests
	@tests/cover.sh

docs: ## write the documents that are made from tables (docs/settings.md)
	@tests/lint/settings.sh --write

compose-test: ## build the images and run docker-compose.yml for real
	@deploy/compose-test.sh

clean: ## remove build/
	@rm -rf build

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1	/p' Makefile | sort | expand -t 16

-include $(shell find $(B) -name '*.d' 2>/dev/null)
