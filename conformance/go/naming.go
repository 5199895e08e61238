package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/model"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

const testIP = "10.1.2.3"

func instanceAt(service string, port uint64, ephemeral bool) vo.RegisterInstanceParam {
	return vo.RegisterInstanceParam{
		Ip:          testIP,
		Port:        port,
		Weight:      2,
		Enable:      true,
		Healthy:     true,
		Ephemeral:   ephemeral,
		Metadata:    map[string]string{"zone": "a"},
		ServiceName: service,
	}
}

func registerAt(client naming_client.INamingClient, service string, port uint64) error {
	done, err := client.RegisterInstance(instanceAt(service, port, true))
	return wantDone("register", done, err)
}

func deregisterAt(client naming_client.INamingClient, service string, port uint64) error {
	done, err := client.DeregisterInstance(vo.DeregisterInstanceParam{
		Ip: testIP, Port: port, ServiceName: service, Ephemeral: true,
	})
	return wantDone("deregister", done, err)
}

func ports(instances []model.Instance) []uint64 {
	found := make([]uint64, 0, len(instances))
	for _, instance := range instances {
		found = append(found, instance.Port)
	}
	sort.Slice(found, func(i, j int) bool { return found[i] < found[j] })
	return found
}

func wantPorts(instances []model.Instance, want ...uint64) error {
	if found := ports(instances); fmt.Sprint(found) != fmt.Sprint(want) {
		return fmt.Errorf("ports %v, wanted %v", found, want)
	}
	return nil
}

// awaitPorts polls what this client resolves; the SDK keeps that current by pushes alone.
func awaitPorts(client naming_client.INamingClient, service string, limit time.Duration, want ...uint64) error {
	return waitFor(limit, func() error {
		found, err := client.SelectAllInstances(vo.SelectAllInstancesParam{ServiceName: service})
		if err != nil {
			return err
		}
		return wantPorts(found, want...)
	})
}

func (s *suite) register() error {
	client, err := s.namingClient()
	if err != nil {
		return err
	}
	defer client.CloseClient()
	other, err := s.otherNamingClient()
	if err != nil {
		return err
	}
	defer other.CloseClient()
	service := s.name("register")
	if err := registerAt(client, service, 8001); err != nil {
		return err
	}
	return awaitPorts(other, service, settleTime, 8001)
}

func (s *suite) list() error {
	client, err := s.namingClient()
	if err != nil {
		return err
	}
	defer client.CloseClient()
	other, err := s.otherNamingClient()
	if err != nil {
		return err
	}
	defer other.CloseClient()
	service := s.name("list")
	if err := registerAt(client, service, 8001); err != nil {
		return err
	}
	if err := registerAt(other, service, 8002); err != nil {
		return err
	}
	if err := awaitPorts(client, service, settleTime, 8001, 8002); err != nil {
		return err
	}
	found, err := client.SelectInstances(vo.SelectInstancesParam{ServiceName: service, HealthyOnly: true})
	if err != nil {
		return err
	}
	for _, instance := range found {
		if instance.Ip != testIP || instance.Weight != 2 || !instance.Healthy || !instance.Ephemeral ||
			instance.ClusterName != "DEFAULT" || instance.Metadata["zone"] != "a" {
			return fmt.Errorf("the instance came back as %+v", instance)
		}
	}
	services, err := client.GetAllServicesInfo(vo.GetAllServiceInfoParam{PageNo: 1, PageSize: 500})
	if err != nil {
		return err
	}
	for _, name := range services.Doms {
		if name == service {
			return nil
		}
	}
	return fmt.Errorf("the service is not among the %d names listed", len(services.Doms))
}

// A pushes value keeps the last list that a subscription callback got.
type pushes struct {
	lock  sync.Mutex
	count int
	last  []model.Instance
}

func (p *pushes) take(instances []model.Instance, err error) {
	if err != nil {
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.count++
	p.last = append([]model.Instance(nil), instances...)
}

func (p *pushes) number() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.count
}

func (p *pushes) await(limit time.Duration, want ...uint64) error {
	return waitFor(limit, func() error {
		p.lock.Lock()
		defer p.lock.Unlock()
		if p.count == 0 {
			return errors.New("no push")
		}
		return wantPorts(p.last, want...)
	})
}

func (s *suite) subscribe() error {
	reader, err := s.namingClient()
	if err != nil {
		return err
	}
	defer reader.CloseClient()
	writer, err := s.otherNamingClient()
	if err != nil {
		return err
	}
	defer writer.CloseClient()
	service := s.name("subscribe")
	seen := &pushes{}
	param := &vo.SubscribeParam{ServiceName: service, SubscribeCallback: seen.take}
	if err := reader.Subscribe(param); err != nil {
		return err
	}
	if err := registerAt(writer, service, 8001); err != nil {
		return err
	}
	if err := seen.await(settleTime, 8001); err != nil {
		return fmt.Errorf("push after register: %w", err)
	}
	if err := deregisterAt(writer, service, 8001); err != nil {
		return err
	}
	if err := seen.await(settleTime); err != nil {
		return fmt.Errorf("push after deregister: %w", err)
	}
	return reader.Unsubscribe(param)
}

// unsubscribe shows that nothing is pushed after it; another client is the witness that there was something.
func (s *suite) unsubscribe() error {
	reader, err := s.namingClient()
	if err != nil {
		return err
	}
	defer reader.CloseClient()
	witness, err := s.otherNamingClient()
	if err != nil {
		return err
	}
	defer witness.CloseClient()
	service := s.name("unsubscribe")
	seen, witnessed := &pushes{}, &pushes{}
	param := &vo.SubscribeParam{ServiceName: service, SubscribeCallback: seen.take}
	if err := reader.Subscribe(param); err != nil {
		return err
	}
	if err := witness.Subscribe(&vo.SubscribeParam{ServiceName: service, SubscribeCallback: witnessed.take}); err != nil {
		return err
	}
	if err := registerAt(witness, service, 8001); err != nil {
		return err
	}
	if err := seen.await(settleTime, 8001); err != nil {
		return err
	}
	if err := reader.Unsubscribe(param); err != nil {
		return err
	}
	before := seen.number()
	if err := registerAt(reader, service, 8002); err != nil {
		return err
	}
	if err := witnessed.await(settleTime, 8001, 8002); err != nil {
		return err
	}
	time.Sleep(quietTime)
	if seen.number() != before {
		return errors.New("a push after the unsubscribe")
	}
	return nil
}

func (s *suite) batch() error {
	client, err := s.namingClient()
	if err != nil {
		return err
	}
	defer client.CloseClient()
	other, err := s.otherNamingClient()
	if err != nil {
		return err
	}
	defer other.CloseClient()
	service := s.name("batch")
	instances := []vo.RegisterInstanceParam{}
	for _, port := range []uint64{8001, 8002, 8003} {
		instances = append(instances, instanceAt(service, port, true))
	}
	done, err := client.BatchRegisterInstance(vo.BatchRegisterInstanceParam{
		ServiceName: service, GroupName: group, Instances: instances,
	})
	if err := wantDone("register a batch", done, err); err != nil {
		return err
	}
	return awaitPorts(other, service, settleTime, 8001, 8002, 8003)
}

// persistent shows that a persistent instance outlives its client, and that another one takes it away.
func (s *suite) persistent() error {
	service := s.name("persistent")
	owner, err := s.namingClient()
	if err != nil {
		return err
	}
	done, err := owner.RegisterInstance(instanceAt(service, 8001, false))
	if err := wantDone("register", done, err); err != nil {
		return err
	}
	if err := awaitPorts(owner, service, settleTime, 8001); err != nil {
		return err
	}
	owner.CloseClient()
	time.Sleep(quietTime)
	other, err := s.otherNamingClient()
	if err != nil {
		return err
	}
	defer other.CloseClient()
	found, err := other.SelectAllInstances(vo.SelectAllInstancesParam{ServiceName: service})
	if err != nil {
		return err
	}
	if err := wantPorts(found, 8001); err != nil {
		return err
	}
	if found[0].Ephemeral {
		return fmt.Errorf("the persistent instance came back as %+v", found[0])
	}
	done, err = other.DeregisterInstance(vo.DeregisterInstanceParam{
		Ip: testIP, Port: 8001, ServiceName: service, Ephemeral: false,
	})
	if err := wantDone("deregister", done, err); err != nil {
		return err
	}
	return awaitPorts(other, service, settleTime)
}

// die kills another process that registered an instance and never deregistered it.
func (s *suite) die() error {
	client, err := s.otherNamingClient()
	if err != nil {
		return err
	}
	defer client.CloseClient()
	service := s.name("die")
	if err := registerAt(client, service, 8001); err != nil {
		return err
	}
	victim := exec.Command(os.Args[0], "die", service)
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	if err != nil {
		return err
	}
	if err := victim.Start(); err != nil {
		return err
	}
	defer func() {
		_ = victim.Process.Kill()
		_ = victim.Wait()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "registered" {
		return fmt.Errorf("the second process did not register: %q %v", line, err)
	}
	if err := awaitPorts(client, service, settleTime, 8001, 8002); err != nil {
		return fmt.Errorf("while it lives: %w", err)
	}
	if err := victim.Process.Kill(); err != nil {
		return err
	}
	if err := awaitPorts(client, service, settleTime, 8001); err != nil {
		return fmt.Errorf("after it was killed: %w", err)
	}
	return nil
}

// liveUntilKilled is the life of the second process of die.
func (s *suite) liveUntilKilled(service string) {
	client, err := s.namingClient()
	if err == nil {
		err = registerAt(client, service, 8002)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("registered")
	time.Sleep(5 * time.Minute)
}
