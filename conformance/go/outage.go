package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

// control runs the shell command of a variable of the contract.
func control(variable string, arguments ...string) error {
	command := strings.Join(append([]string{os.Getenv(variable)}, arguments...), " ")
	out, err := exec.Command("sh", "-c", command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", variable, err, out)
	}
	return nil
}

// outage takes all servers away and back: the application goes on with what it knew, and recovers by itself.
func (s *suite) outage() error {
	if os.Getenv("TRINE_STOP") == "" || os.Getenv("TRINE_START") == "" {
		return fmt.Errorf("%w: TRINE_STOP and TRINE_START are not given", errNotOffered)
	}
	service, dataID := s.name("outage"), s.name("outage")
	provider, err := s.namingClient()
	if err != nil {
		return err
	}
	defer provider.CloseClient()
	consumer, err := s.namingClient()
	if err != nil {
		return err
	}
	defer consumer.CloseClient()
	listener, err := s.configClient()
	if err != nil {
		return err
	}
	defer listener.CloseClient()

	if err := registerAt(provider, service, 8001); err != nil {
		return err
	}
	pushed := &pushes{}
	if err := consumer.Subscribe(&vo.SubscribeParam{ServiceName: service, SubscribeCallback: pushed.take}); err != nil {
		return err
	}
	if err := pushed.await(settleTime, 8001); err != nil {
		return err
	}
	if err := put(listener, dataID, "one", ""); err != nil {
		return err
	}
	changed := &changes{}
	if err := listener.ListenConfig(vo.ConfigParam{DataId: dataID, Group: group, OnChange: changed.take}); err != nil {
		return err
	}
	if err := changed.await(settleTime, "one"); err != nil {
		return err
	}

	if err := control("TRINE_STOP"); err != nil {
		return err
	}
	// Whatever goes wrong from here on, the server is put back for whoever comes next.
	awayError := s.checkAway(func() error {
		if err := awaitPorts(consumer, service, 0, 8001); err != nil {
			return fmt.Errorf("resolve from the cache: %w", err)
		}
		return nil
	})
	snapshotError := wantContent(listener, dataID, "one")
	if err := control("TRINE_START"); err != nil {
		return err
	}
	if awayError != nil {
		return awayError
	}
	if snapshotError != nil {
		return fmt.Errorf("config from the snapshot: %w", snapshotError)
	}
	return s.checkBack(service, dataID, pushed, changed)
}

func (s *suite) checkAway(resolves func() error) error {
	if err := waitFor(settleTime, func() error {
		if s.checkDial() == nil {
			return errors.New("the server still accepts connections after TRINE_STOP")
		}
		return nil
	}); err != nil {
		return err
	}
	for end := time.Now().Add(outageTime); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if err := resolves(); err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) checkBack(service, dataID string, pushed *pushes, changed *changes) error {
	fresh, err := s.otherNamingClient()
	if err != nil {
		return err
	}
	defer fresh.CloseClient()
	if err := awaitPorts(fresh, service, recoverTime, 8001); err != nil {
		return fmt.Errorf("registered again: %w", err)
	}
	if err := registerAt(fresh, service, 8002); err != nil {
		return err
	}
	if err := pushed.await(settleTime, 8001, 8002); err != nil {
		return fmt.Errorf("push after the outage: %w", err)
	}
	writer, err := s.otherConfigClient()
	if err != nil {
		return err
	}
	defer writer.CloseClient()
	if err := awaitContent(writer, dataID, "one"); err != nil {
		return fmt.Errorf("config after the outage: %w", err)
	}
	if err := put(writer, dataID, "two", ""); err != nil {
		return err
	}
	if err := changed.await(settleTime, "two"); err != nil {
		return fmt.Errorf("listener after the outage: %w", err)
	}
	return nil
}
