// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ccee-dev/ccee/job"
	"github.com/ccee-dev/ccee/rootfs"

	"golang.org/x/sys/unix"
)

// programs are what each language runs.
func programs() []job.Spec {
	return []job.Spec{
		{Language: "python", Source: `print("hello")`},
		{Language: "javascript", Source: `console.log("hello")`},
		{Language: "java", Source: `public class Main { public static void main(String[] a) { System.out.println("hello"); } }`},
	}
}

// hellos times the three languages over REST, from submission to result: a fresh jail and a fresh runtime each.
func hellos(ctx context.Context, dir, binary, images string, rounds int) error {
	store, err := rootfs.Open(images)
	if err != nil {
		return err
	}
	defer store.Close()
	var apis []*rest
	for i, way := range ways {
		up, c, err := startUp(ctx, dir, binary, images, way.name, 18088+i, way.env)
		if err != nil {
			return err
		}
		defer up.stop()
		apis = append(apis, c)
	}
	for _, p := range programs() {
		bare, err := bareHello(ctx, store, dir, p)
		// Whatever bareHello mounted goes before the directory is removed with all that is below it.
		defer unix.Unmount(filepath.Join(dir, p.Language, "proc"), unix.MNT_DETACH)
		if err != nil {
			return err
		}
		contenders := []contender{bare}
		for i, c := range apis {
			contenders = append(contenders, contender{
				name: "ccee: over REST, to the result, " + ways[i].name, wait: ways[i].wait,
				do: func(ctx context.Context) error { return c.submit(ctx, p) },
			})
		}
		if err := contest(ctx, p.Language+" hello", rounds, contenders...); err != nil {
			return err
		}
		if p.Language == "python" {
			for _, c := range contenders[1:] {
				if err := throughput(ctx, c, 8, 5*time.Second); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// startUp starts all parts, with a client of their API.
func startUp(ctx context.Context, dir, binary, images, name string, port int, env []string) (*running, *rest, error) {
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	up, err := start(binary, filepath.Join(dir, "up-"+name+".log"), append([]string{
		`TENANT_API_KEYS_JSON={"bench":{"tenantId":"bench","maxConcurrentJobs":1000,"maxDailyJobs":1000000,"maxStoredBytes":68719476736},"neighbour":{"tenantId":"neighbour","maxConcurrentJobs":1000,"maxDailyJobs":1000000,"maxStoredBytes":68719476736}}`,
		"RATE_LIMIT_REQUESTS_PER_MINUTE=100000", "SUBMIT_RATE_LIMIT_PER_MINUTE=100000",
	}, env...), "up", "--listen", listen, "--data", filepath.Join(dir, "data-"+name), "--images", images,
		"--socket", filepath.Join(dir, "up-"+name+".sock"), "--cgroup", "ccee-bench-"+name, "--log-level", "warn")
	if err != nil {
		return nil, nil, err
	}
	c := newREST("http://" + listen)
	if err := until(ctx, func() error { return c.ready(ctx) }); err != nil {
		up.stop()
		return nil, nil, err
	}
	return up, c, nil
}
