// A program whose functions last a known time. It waits for a byte, does what its argument says, and prints, of every call, the
// nanoseconds that passed inside and around it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

//go:noinline
func nap(d time.Duration) time.Duration {
	begun := time.Now()
	time.Sleep(d)
	return time.Since(begun)
}

// wander gives its thread up again and again.
//
//go:noinline
func wander(d time.Duration) (inside time.Duration, threads int) {
	begun := time.Now()
	seen := map[int]bool{}
	for time.Since(begun) < d {
		seen[syscall.Gettid()] = true
		runtime.Gosched()
		time.Sleep(100 * time.Microsecond)
	}
	return time.Since(begun), len(seen)
}

// recurse needs more stack than it finds at every few levels.
//
//go:noinline
func recurse(depth int) byte {
	var room [8192]byte
	room[depth] = byte(depth)
	time.Sleep(2 * time.Millisecond)
	if depth > 1 {
		room[0] = recurse(depth - 1)
	}
	return room[0] + room[depth]
}

func main() {
	runtime.GOMAXPROCS(4)
	os.Stdin.Read(make([]byte, 1))
	var all sync.WaitGroup
	var printing sync.Mutex
	each := func(count int, call func(n int) (time.Duration, int)) {
		for n := 1; n <= count; n++ {
			all.Add(1)
			go func() {
				defer all.Done()
				begun := time.Now()
				inside, threads := call(n)
				around := time.Since(begun)
				printing.Lock()
				defer printing.Unlock()
				fmt.Println(inside.Nanoseconds(), around.Nanoseconds(), threads)
			}()
		}
	}
	switch os.Args[1] {
	case "nap":
		each(20, func(n int) (time.Duration, int) { return nap(time.Duration(n) * 5 * time.Millisecond), 0 })
	case "wander":
		each(16, func(n int) (time.Duration, int) { return wander(time.Duration(n) * 10 * time.Millisecond) })
	case "recurse":
		recurse(12)
	case "die":
		go nap(time.Hour)
		nap(20 * time.Millisecond)
	}
	all.Wait()
}
