package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nacos-group/nacos-sdk-go/v2/clients/config_client"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

// A loss carries what clients that know all nodes have seen while one node after the other was killed.
type loss struct {
	service string
	dataID  string
	pushed  pushes
	changed changes
}

// nodeLost kills one node after the other. The SDK chooses its node by chance: so each client loses its node at least once.
func (s *suite) nodeLost() error {
	if len(s.addresses) == 0 || os.Getenv("TRINE_STOP") == "" || os.Getenv("TRINE_START") == "" {
		return fmt.Errorf("%w: there is one node only", errNotOffered)
	}
	provider, err := s.namingClientAt(s.addresses...)
	if err != nil {
		return err
	}
	defer provider.CloseClient()
	consumer, err := s.namingClientAt(s.addresses...)
	if err != nil {
		return err
	}
	defer consumer.CloseClient()
	listener, err := s.configClientAt(s.addresses...)
	if err != nil {
		return err
	}
	defer listener.CloseClient()
	seen := &loss{service: s.name("node-lost"), dataID: s.name("node-lost")}
	if err := seen.prepare(provider, consumer, listener); err != nil {
		return err
	}
	for round, lost := range s.addresses {
		if err := control("TRINE_STOP", lost.String()); err != nil {
			return err
		}
		sure := time.Now().Add(deathTime)
		broken := waitFor(settleTime, func() error {
			if dial(lost) == nil {
				return errors.New("the node still accepts connections after TRINE_STOP")
			}
			return nil
		})
		if broken == nil {
			broken = s.checkGoesOn(round, seen, listener, sure)
		}
		// Whatever went wrong, the node is put back for whoever comes next.
		if err := control("TRINE_START", lost.String()); err != nil {
			return err
		}
		if broken != nil {
			return fmt.Errorf("without node %d: %w", round+1, broken)
		}
	}
	if err := deregisterAt(provider, seen.service, 8001); err != nil {
		return err
	}
	return s.checkNoGhosts(seen.service)
}

func (l *loss) prepare(
	provider, consumer naming_client.INamingClient, listener config_client.IConfigClient,
) error {
	if err := registerAt(provider, l.service, 8001); err != nil {
		return err
	}
	err := consumer.Subscribe(&vo.SubscribeParam{ServiceName: l.service, SubscribeCallback: l.pushed.take})
	if err != nil {
		return err
	}
	if err := l.pushed.await(settleTime, 8001); err != nil {
		return err
	}
	if err := put(listener, l.dataID, "one", ""); err != nil {
		return err
	}
	err = listener.ListenConfig(vo.ConfigParam{DataId: l.dataID, Group: group, OnChange: l.changed.take})
	if err != nil {
		return err
	}
	return l.changed.await(settleTime, "one")
}

// checkGoesOn shows that what a client at another node does after the loss is heard, and that publishing goes on. An instance
// that nobody has registered again is gone at the time "sure".
func (s *suite) checkGoesOn(round int, seen *loss, listener config_client.IConfigClient, sure time.Time) error {
	alive := s.addresses[(round+1)%len(s.addresses)]
	other, err := s.namingClientAt(alive)
	if err != nil {
		return err
	}
	defer other.CloseClient()
	writer, err := s.configClientAt(alive)
	if err != nil {
		return err
	}
	defer writer.CloseClient()
	if err := registerAt(other, seen.service, 8002); err != nil {
		return err
	}
	if err := seen.pushed.await(recoverTime, 8001, 8002); err != nil {
		return fmt.Errorf("push: %w", err)
	}
	content := fmt.Sprint("other ", round)
	if err := waitFor(recoverTime, func() error { return put(writer, seen.dataID, content, "") }); err != nil {
		return err
	}
	if err := seen.changed.await(recoverTime, content); err != nil {
		return err
	}
	content = fmt.Sprint("own ", round)
	if err := waitFor(recoverTime, func() error { return put(listener, seen.dataID, content, "") }); err != nil {
		return fmt.Errorf("publishing oneself: %w", err)
	}
	if err := awaitContent(writer, seen.dataID, content); err != nil {
		return err
	}
	if err := seen.changed.await(recoverTime, content); err != nil {
		return err
	}
	if err := deregisterAt(other, seen.service, 8002); err != nil {
		return err
	}
	if err := seen.pushed.await(recoverTime, 8001); err != nil {
		return fmt.Errorf("push: %w", err)
	}
	time.Sleep(time.Until(sure))
	// A fresh client, because the SDK answers from what it was pushed.
	fresh, err := s.namingClientAt(alive)
	if err != nil {
		return err
	}
	defer fresh.CloseClient()
	return awaitPorts(fresh, seen.service, 0, 8001)
}

// checkNoGhosts shows that an instance that moved from node to node leaves all of them.
func (s *suite) checkNoGhosts(service string) error {
	for _, each := range s.addresses {
		client, err := s.namingClientAt(each)
		if err != nil {
			return err
		}
		defer client.CloseClient()
		if err := awaitPorts(client, service, settleTime); err != nil {
			return fmt.Errorf("at %v: %w", each, err)
		}
	}
	return nil
}
