// The conformance suite of nacos-sdk-go: the unchanged official client against a running server.
//
// The contract (environment, steps, output) is in ../README.md.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// Longest time for one poll of something that the server should show at once.
	settleTime = 15 * time.Second
	// How long nothing must happen where nothing may.
	quietTime = time.Second
	// How many configs one client listens to in the step about many.
	listeners = 100
	// How often a change is published at most in that step.
	listenRounds = 6
	listenPause  = 300 * time.Millisecond
	// How long the servers stay away in the outage step.
	outageTime = 8 * time.Second
	// Longer than what a dead node's clients had registered stays listed, unless they are back at another node.
	deathTime = 25 * time.Second
	// Longest time for a client to come back by itself after the outage.
	recoverTime = 60 * time.Second
)

// An address is where a node serves.
type address struct {
	host string
	port uint64
}

func (a address) String() string {
	return net.JoinHostPort(a.host, strconv.FormatUint(a.port, 10))
}

// A suite carries what the steps share.
type suite struct {
	address      address
	checkAddress address
	// addresses are those of all nodes, if there are several.
	addresses []address
	user      string
	password  string
	scratch   string
	run       string
	reachable bool
	failed    bool
}

// errNotOffered marks a step that the SDK has no means for.
var errNotOffered = errors.New("n/a")

func main() {
	s, err := newSuite()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if len(os.Args) == 3 && os.Args[1] == "die" {
		s.liveUntilKilled(os.Args[2])
		return
	}
	s.reachable = waitFor(5*time.Second, s.checkDial) == nil
	s.step("login", 30*time.Second, s.login)
	s.step("register", 30*time.Second, s.register)
	s.step("list", 30*time.Second, s.list)
	s.step("subscribe", 60*time.Second, s.subscribe)
	s.step("unsubscribe", 60*time.Second, s.unsubscribe)
	s.step("batch", 30*time.Second, s.batch)
	s.step("persistent", 30*time.Second, s.persistent)
	s.step("die", 60*time.Second, s.die)
	s.step("publish", 30*time.Second, s.publish)
	s.step("cas_ok", 30*time.Second, s.casOk)
	s.step("cas_conflict", 30*time.Second, s.casConflict)
	s.step("get", 30*time.Second, s.get)
	s.step("listen", 45*time.Second, s.listen)
	s.step("many_listeners", 120*time.Second, s.manyListeners)
	s.step("gray", 30*time.Second, s.gray)
	s.step("remove", 30*time.Second, s.remove)
	s.step("node_lost", 300*time.Second, s.nodeLost)
	s.step("outage", 120*time.Second, s.outage)
	if s.failed {
		os.Exit(1)
	}
}

// addressesOf reads the addresses of a variable, with commas between them.
func addressesOf(variable string) ([]address, error) {
	found := []address{}
	for _, each := range strings.Split(os.Getenv(variable), ",") {
		host, port, err := net.SplitHostPort(each)
		if err != nil {
			return nil, fmt.Errorf("%s must be host:port: %w", variable, err)
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%s must end in a port number: %w", variable, err)
		}
		found = append(found, address{host, number})
	}
	return found, nil
}

func newSuite() (*suite, error) {
	own, err := addressesOf("TRINE_ADDR")
	if err != nil {
		return nil, err
	}
	check, all := own, []address{}
	if os.Getenv("TRINE_CHECK_ADDR") != "" {
		if check, err = addressesOf("TRINE_CHECK_ADDR"); err != nil {
			return nil, err
		}
	}
	if os.Getenv("TRINE_ADDRS") != "" {
		if all, err = addressesOf("TRINE_ADDRS"); err != nil {
			return nil, err
		}
	}
	scratch := os.Getenv("TRINE_SCRATCH")
	if scratch == "" {
		if scratch, err = os.MkdirTemp("", "trine-conformance-go-"); err != nil {
			return nil, err
		}
	}
	return &suite{
		address:      own[0],
		checkAddress: check[0],
		addresses:    all,
		user:         os.Getenv("TRINE_USER"),
		password:     os.Getenv("TRINE_PASSWORD"),
		scratch:      scratch,
		run:          fmt.Sprintf("%x-%d", time.Now().UnixMilli(), os.Getpid()),
	}, nil
}

// name is a service or config name that no other run uses.
func (s *suite) name(noun string) string {
	return "conf-go-" + noun + "-" + s.run
}

func (s *suite) checkDial() error {
	return dial(s.address)
}

func dial(at address) error {
	conn, err := net.DialTimeout("tcp", at.String(), time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// step runs one step and prints its line; a step that hangs fails alone.
func (s *suite) step(name string, limit time.Duration, body func() error) {
	err := errors.New("the server cannot be reached at " + os.Getenv("TRINE_ADDR"))
	if s.reachable {
		done := make(chan error, 1)
		go func() {
			defer func() {
				if thrown := recover(); thrown != nil {
					done <- fmt.Errorf("panic: %v", thrown)
				}
			}()
			done <- body()
		}()
		select {
		case err = <-done:
		case <-time.After(limit):
			err = fmt.Errorf("not finished after %v", limit)
		}
	}
	switch {
	case err == nil:
		fmt.Printf("step %s ok\n", name)
	case errors.Is(err, errNotOffered):
		fmt.Printf("step %s n/a %s\n", name, strings.TrimPrefix(oneLine(err), "n/a: "))
	default:
		s.failed = true
		fmt.Printf("step %s fail %s\n", name, oneLine(err))
	}
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// waitFor polls until check succeeds; its last error tells what was still missing.
func waitFor(limit time.Duration, check func() error) error {
	end := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("after %v: %w", limit, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// wantDone turns an SDK answer of "false without an error" into an error.
func wantDone(what string, done bool, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !done {
		return fmt.Errorf("%s: the SDK answered false", what)
	}
	return nil
}
