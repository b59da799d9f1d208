// main.go -- asynq: worker and client.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/hibiken/asynq"
)

// The monotonic clock that other processes also read, in ns; package time shows only differences.
func monotonic() int64 {
	var t syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func note(name, text string) {
	f, err := os.OpenFile(filepath.Join(os.Getenv("SCRATCH"), name), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	must(err)
	defer f.Close()
	_, err = f.WriteString(text + "\n")
	must(err)
}

func noop(context.Context, *asynq.Task) error { return nil }

func stamp(_ context.Context, t *asynq.Task) error {
	sent, err := strconv.ParseInt(string(t.Payload()), 10, 64)
	must(err)
	note("stamps", strconv.FormatInt(monotonic()-sent, 10))
	return nil
}

func hold(_ context.Context, t *asynq.Task) error {
	note("starts", string(t.Payload()))
	if _, err := os.Stat(filepath.Join(os.Getenv("SCRATCH"), "gate")); err != nil {
		time.Sleep(time.Hour)
	}
	note("ends", string(t.Payload()))
	return nil
}

func work(redis asynq.RedisConnOpt, concurrency int) {
	server := asynq.NewServer(redis, asynq.Config{Concurrency: concurrency, LogLevel: asynq.ErrorLevel})
	mux := asynq.NewServeMux()
	mux.HandleFunc("noop", noop)
	mux.HandleFunc("stamp", stamp)
	mux.HandleFunc("hold", hold)
	must(server.Run(mux))
}

func enqueue(client *asynq.Client, kind, payload string) {
	_, err := client.Enqueue(asynq.NewTask(kind, []byte(payload)), asynq.Timeout(2*time.Hour))
	must(err)
}

func main() {
	redis, err := asynq.ParseRedisURI(os.Getenv("BROKER"))
	must(err)
	n, err := strconv.Atoi(os.Args[2])
	must(err)
	if os.Args[1] == "worker" {
		work(redis, n)
		return
	}
	client := asynq.NewClient(redis)
	defer client.Close()
	began := time.Now()
	for i := 0; i < n; i++ {
		switch os.Args[1] {
		case "enqueue":
			enqueue(client, "noop", strings.Repeat("x", 200))
		case "hold":
			enqueue(client, "hold", strconv.Itoa(i))
		case "stamp":
			enqueue(client, "stamp", strconv.FormatInt(monotonic(), 10))
			pause, err := strconv.Atoi(os.Args[3])
			must(err)
			time.Sleep(time.Duration(pause*(7+i%7)/7) * time.Millisecond)
		}
	}
	fmt.Println(time.Since(began).Seconds())
}
