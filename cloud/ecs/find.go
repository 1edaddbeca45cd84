// SPDX-License-Identifier: Apache-2.0

package ecs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/rs/zerolog"
)

// Finder finds the tasks of an ECS service, for a pool of daemons.
type Finder struct {
	cluster *Cluster
	service string
	port    uint16
}

// LoadFinder is NewFinder with the credentials that the AWS SDK finds in the environment. It makes no call.
func LoadFinder(ctx context.Context, region, cluster, service string, port uint16) (*Finder, error) {
	if region == "" {
		return nil, errors.New("AWS_REGION is not set")
	}
	sdk, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return nil, fmt.Errorf("configure the AWS SDK: %w", err)
	}
	return NewFinder(sdk, cluster, service, port)
}

// NewFinder returns the Finder of a service in a cluster, whose tasks listen on that port of their own addresses (awsvpc).
func NewFinder(sdk aws.Config, cluster, service string, port uint16) (*Finder, error) {
	if cluster == "" || service == "" || port == 0 {
		return nil, errors.New("the tasks of a service are found by cluster, service and port: one of them is missing")
	}
	api := ecs.NewFromConfig(sdk, func(o *ecs.Options) { o.Retryer = aws.NopRetryer{} })
	return &Finder{&Cluster{api: api, pause: pauseAtRandom, cfg: Config{Cluster: cluster}, log: zerolog.Nop()}, service, port}, nil
}

// Find returns the addresses of the tasks that run now, each HOST:PORT.
func (f *Finder) Find(ctx context.Context) ([]string, error) {
	tasks, err := f.cluster.tasks(ctx, &ecs.ListTasksInput{Cluster: &f.cluster.cfg.Cluster, ServiceName: &f.service,
		DesiredStatus: types.DesiredStatusRunning})
	if err != nil {
		return nil, fmt.Errorf("list the tasks of service %s: %w", f.service, err)
	}
	var all []string
	for _, t := range tasks {
		if a := privateAddress(t); phases[deref(t.LastStatus)] == Running && a.IsValid() {
			all = append(all, net.JoinHostPort(a.String(), strconv.Itoa(int(f.port))))
		}
	}
	return all, nil
}

// privateAddress returns the address of a task's network interface, the zero value if it has none yet.
func privateAddress(t types.Task) netip.Addr {
	for _, a := range t.Attachments {
		if deref(a.Type) != "ElasticNetworkInterface" {
			continue
		}
		for _, d := range a.Details {
			if deref(d.Name) == "privateIPv4Address" {
				addr, _ := netip.ParseAddr(deref(d.Value)) // what is no address is none
				return addr
			}
		}
	}
	return netip.Addr{}
}
