// Loadgen pays in closed loop: each caller has a connection of its own and sends the next request
// when the last one is answered, or at a given rate as long as there are callers enough. It is made to take little of the CPU that it shares with the
// service. On standard output: "measuring" and "measured" at the window's ends, then the result as
// one JSON object. The API key is read from API_KEY.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What is left of a run after its window, for calls under way to be answered.
const grace = 15 * time.Second

type options struct {
	addresses []string
	protocol  string
	callers   int
	warm      time.Duration
	window    time.Duration
	every     time.Duration
	payments  paymentOptions
}

// A connection sends one request at a time.
type connection interface {
	// Call sends the body, counts the settled payments in the answer, and names the refusal if the
	// answer is one. An error means that the connection is broken.
	call(body []byte) (settled int, refusal string, err error)
}

// What one caller saw in the window.
type tally struct {
	settled   int
	latencies []time.Duration
	refusals  map[string]int
}

// The result, as it is printed. Latencies are those of calls: with a batch, of the whole batch.
type result struct {
	Settled  int            `json:"settled"`
	Sent     int            `json:"sent"`
	Seconds  float64        `json:"seconds"`
	P50Ms    float64        `json:"p50Ms"`
	P99Ms    float64        `json:"p99Ms"`
	Refusals map[string]int `json:"refusals"`
}

func main() {
	o := parse()
	var measuring, stopped atomic.Bool
	var running sync.WaitGroup
	next := pace(o.every)
	tallies := make([]tally, o.callers)
	for i := range tallies {
		c, err := dial(o, o.addresses[i%len(o.addresses)])
		fatal(err)
		payments, counted := o.payments, &tallies[i]
		if o.payments.pattern == "beside-hot" {
			payments.pattern = "uniform"
			// Every second caller of each address, and it isn't counted.
			if i/len(o.addresses)%2 == 1 {
				payments.pattern = "hot-creditor"
				counted = new(tally)
			}
		}
		running.Go(func() {
			work(c, newPayments(payments, o.protocol), counted, next, &measuring, &stopped)
		})
	}
	time.Sleep(o.warm)
	fmt.Println("measuring")
	start := time.Now()
	measuring.Store(true)
	time.Sleep(o.window)
	measuring.Store(false)
	elapsed := time.Since(start)
	fmt.Println("measured")
	stopped.Store(true)
	running.Wait()
	fatal(json.NewEncoder(os.Stdout).Encode(sum(tallies, elapsed, max(1, o.payments.batch))))
}

func parse() options {
	var o options
	rate := flag.Int("rate", 0, "requests a second of all callers; 0: as many as they can")
	addresses := flag.String("addresses", "", "host:port,...: the callers are spread over them")
	flag.StringVar(&o.protocol, "protocol", "json", "json (HTTP/1.1) or grpc (h2c)")
	flag.IntVar(&o.callers, "callers", 1, "connections, each with one request at a time")
	flag.DurationVar(&o.warm, "warm", time.Second, "before the window")
	flag.DurationVar(&o.window, "window", 5*time.Second, "what is counted")
	flag.IntVar(&o.payments.accounts, "accounts", 10_000, "accounts 1 to this")
	flag.StringVar(&o.payments.pattern, "pattern", "uniform", "uniform, hot-debtor, hot-creditor or beside-hot")
	flag.IntVar(&o.payments.batch, "batch", 0, "payments of a BatchCreatePayments; 0: CreatePayment")
	flag.Parse()
	if *rate > 0 {
		o.every = time.Second / time.Duration(*rate)
	}
	o.addresses = strings.Split(*addresses, ",")
	return o
}

func dial(o options, address string) (connection, error) {
	path := "/instantpayment.v1.PaymentService/CreatePayment"
	if o.payments.batch > 0 {
		path = "/instantpayment.v1.PaymentService/BatchCreatePayments"
	}
	deadline := time.Now().Add(o.warm + o.window + grace)
	key := "Bearer " + os.Getenv("API_KEY")
	if o.protocol == "grpc" {
		return dialGRPC(address, path, key, o.payments.batch > 0, deadline)
	}
	return dialJSON(address, path, key, deadline)
}

// Pace returns a function that waits for the caller's turn: one request for each interval.
func pace(every time.Duration) func() {
	var turns atomic.Int64
	start := time.Now()
	return func() {
		if every > 0 {
			time.Sleep(time.Until(start.Add(every * time.Duration(turns.Add(1)))))
		}
	}
}

func work(c connection, p *payments, t *tally, next func(), measuring, stopped *atomic.Bool) {
	t.refusals = map[string]int{}
	for !stopped.Load() {
		body := p.next()
		next()
		start := time.Now()
		settled, refusal, err := c.call(body)
		fatal(err)
		if !measuring.Load() {
			continue
		}
		t.latencies = append(t.latencies, time.Since(start))
		t.settled += settled
		if refusal != "" {
			t.refusals[refusal]++
		}
	}
}

func sum(tallies []tally, elapsed time.Duration, batch int) result {
	r := result{Seconds: elapsed.Seconds(), Refusals: map[string]int{}}
	var all []time.Duration
	for _, t := range tallies {
		r.Settled += t.settled
		all = append(all, t.latencies...)
		for refusal, n := range t.refusals {
			r.Refusals[refusal] += n
		}
	}
	slices.Sort(all)
	r.Sent = len(all) * batch
	r.P50Ms, r.P99Ms = percentile(all, 50), percentile(all, 99)
	return r
}

func percentile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := min(len(sorted)-1, len(sorted)*percent/100)
	return float64(sorted[i].Microseconds()) / 1000
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}
