package main

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/config_client"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

const group = "DEFAULT_GROUP"

func put(client config_client.IConfigClient, dataID, content, casMD5 string) error {
	done, err := client.PublishConfig(vo.ConfigParam{
		DataId: dataID, Group: group, Content: content, CasMd5: casMD5,
	})
	return wantDone("publish", done, err)
}

func wantContent(client config_client.IConfigClient, dataID, want string) error {
	found, err := client.GetConfig(vo.ConfigParam{DataId: dataID, Group: group})
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	if found != want {
		return fmt.Errorf("content %q, wanted %q", found, want)
	}
	return nil
}

// awaitContent is for steps that show something else than what a read answers right after a publish.
func awaitContent(client config_client.IConfigClient, dataID, want string) error {
	return waitFor(settleTime, func() error { return wantContent(client, dataID, want) })
}

func md5Of(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}

// withConfig runs body with a client and a config name of its own.
func (s *suite) withConfig(noun string, body func(client config_client.IConfigClient, dataID string) error) error {
	client, err := s.configClient()
	if err != nil {
		return err
	}
	defer client.CloseClient()
	return body(client, s.name(noun))
}

// withPair is the same with a second client, at another node, if there is one.
func (s *suite) withPair(noun string, body func(client, other config_client.IConfigClient, dataID string) error) error {
	other, err := s.otherConfigClient()
	if err != nil {
		return err
	}
	defer other.CloseClient()
	return s.withConfig(noun, func(client config_client.IConfigClient, dataID string) error {
		return body(client, other, dataID)
	})
}

// login shows that the right password serves and that a wrong one does not.
func (s *suite) login() error {
	if s.user == "" {
		return fmt.Errorf("%w: no user given, so the server asks for none", errNotOffered)
	}
	err := s.withConfig("login", func(client config_client.IConfigClient, dataID string) error {
		if err := put(client, dataID, "one", ""); err != nil {
			return err
		}
		return awaitContent(client, dataID, "one")
	})
	if err != nil {
		return err
	}
	intruder, err := clients.NewConfigClient(s.settings([]address{s.address}, s.password+"-wrong"))
	if err != nil {
		return err
	}
	defer intruder.CloseClient()
	if done, err := intruder.PublishConfig(vo.ConfigParam{
		DataId: s.name("intruder"), Group: group, Content: "no",
	}); err == nil && done {
		return errors.New("a publish with a wrong password was accepted")
	}
	return nil
}

func (s *suite) publish() error {
	return s.withConfig("publish", func(client config_client.IConfigClient, dataID string) error {
		if err := put(client, dataID, "one", ""); err != nil {
			return err
		}
		if err := wantContent(client, dataID, "one"); err != nil {
			return err
		}
		if err := put(client, dataID, "two", ""); err != nil {
			return err
		}
		return wantContent(client, dataID, "two")
	})
}

func (s *suite) casOk() error {
	return s.withPair("cas-ok", func(client, other config_client.IConfigClient, dataID string) error {
		if err := put(other, dataID, "one", ""); err != nil {
			return err
		}
		if err := put(client, dataID, "two", md5Of("one")); err != nil {
			return err
		}
		return awaitContent(other, dataID, "two")
	})
}

func (s *suite) casConflict() error {
	return s.withPair("cas-conflict", func(client, other config_client.IConfigClient, dataID string) error {
		if err := put(other, dataID, "one", ""); err != nil {
			return err
		}
		if err := awaitContent(client, dataID, "one"); err != nil {
			return err
		}
		if err := put(client, dataID, "two", md5Of("stale")); err == nil {
			return errors.New("a publish with a stale md5 was accepted")
		}
		return wantContent(other, dataID, "one")
	})
}

func (s *suite) get() error {
	return s.withPair("get", func(client, other config_client.IConfigClient, dataID string) error {
		content := "name: 值\nline: \"two\" & <three>\n"
		if err := put(other, dataID, content, ""); err != nil {
			return err
		}
		if err := awaitContent(client, dataID, content); err != nil {
			return err
		}
		return awaitContent(client, s.name("absent"), "")
	})
}

// A changes value keeps the last content that a listener got.
type changes struct {
	lock  sync.Mutex
	count int
	last  string
}

func (c *changes) take(_, _, _, data string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.count++
	c.last = data
}

func (c *changes) content() string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.last
}

func (c *changes) await(limit time.Duration, want string) error {
	return waitFor(limit, func() error {
		c.lock.Lock()
		defer c.lock.Unlock()
		if c.last != want {
			return fmt.Errorf("the listener was called %d times, last with %q, wanted %q", c.count, c.last, want)
		}
		return nil
	})
}

func (s *suite) listen() error {
	return s.withPair("listen", func(client, other config_client.IConfigClient, dataID string) error {
		if err := put(client, dataID, "one", ""); err != nil {
			return err
		}
		seen := &changes{}
		if err := client.ListenConfig(vo.ConfigParam{DataId: dataID, Group: group, OnChange: seen.take}); err != nil {
			return err
		}
		if err := seen.await(settleTime, "one"); err != nil {
			return fmt.Errorf("first value: %w", err)
		}
		if err := put(other, dataID, "two", ""); err != nil {
			return err
		}
		return seen.await(settleTime, "two")
	})
}

// manyListeners has one client listen to many configs at once; each of its listeners hears of its own.
func (s *suite) manyListeners() error {
	return s.withPair("many", func(client, other config_client.IConfigClient, dataID string) error {
		seen := make([]*changes, listeners)
		for number := range seen {
			seen[number] = &changes{}
			id := fmt.Sprint(dataID, number)
			if err := put(other, id, "one", ""); err != nil {
				return err
			}
			err := client.ListenConfig(vo.ConfigParam{DataId: id, Group: group, OnChange: seen[number].take})
			if err != nil {
				return err
			}
		}
		for number := range seen {
			if err := seen[number].await(settleTime, "one"); err != nil {
				return err
			}
		}
		// The SDK takes a config that changed while it compared another one for compared, too, until its next full look
		// minutes later. That is no server's doing: such a change is published again, and then not in a burst.
		missing := seen
		for round := 0; len(missing) > 0; round++ {
			if round == listenRounds {
				return fmt.Errorf("%d of %d listeners did not hear of their change, published %d times",
					len(missing), listeners, listenRounds)
			}
			var err error
			missing, err = s.change(other, dataID, seen, round)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// change publishes new content for every listener that has none of an earlier round, and gives those that do not hear of it.
func (s *suite) change(writer config_client.IConfigClient, dataID string, seen []*changes, round int) ([]*changes, error) {
	waiting := map[*changes]string{}
	for number, each := range seen {
		if each.content() == "one" {
			if round > 0 {
				time.Sleep(listenPause)
			}
			waiting[each] = fmt.Sprint("round ", round, " of ", number)
			if err := put(writer, fmt.Sprint(dataID, number), waiting[each], ""); err != nil {
				return nil, err
			}
		}
	}
	var missing []*changes
	_ = waitFor(settleTime/3, func() error {
		missing = nil
		for each, content := range waiting {
			if each.content() != content {
				missing = append(missing, each)
			}
		}
		if len(missing) > 0 {
			return errors.New("listeners are missing")
		}
		return nil
	})
	return missing, nil
}

// gray publishes a beta version for an address: only that one reads it. A version for a tag changes nothing for the rest.
func (s *suite) gray() error {
	return s.withPair("gray", func(client, other config_client.IConfigClient, dataID string) error {
		if err := put(client, dataID, "one", ""); err != nil {
			return err
		}
		for _, version := range []vo.ConfigParam{{Tag: "blue"}, {BetaIps: "10.9.9.9"}} {
			version.DataId, version.Group, version.Content = dataID, group, "gray"
			done, err := other.PublishConfig(version)
			if err := wantDone("publish", done, err); err != nil {
				return err
			}
			if err := wantContent(client, dataID, "one"); err != nil {
				return err
			}
		}
		done, err := other.PublishConfig(vo.ConfigParam{
			DataId: dataID, Group: group, Content: "beta", BetaIps: "127.0.0.1",
		})
		if err := wantDone("publish", done, err); err != nil {
			return err
		}
		return awaitContent(client, dataID, "beta")
	})
}

func (s *suite) remove() error {
	return s.withPair("remove", func(client, other config_client.IConfigClient, dataID string) error {
		if err := put(other, dataID, "one", ""); err != nil {
			return err
		}
		done, err := client.DeleteConfig(vo.ConfigParam{DataId: dataID, Group: group})
		if err := wantDone("remove", done, err); err != nil {
			return err
		}
		return awaitContent(other, dataID, "")
	})
}
