package main

import (
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/config_client"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

var clientCount atomic.Int64

// settings gives every client a cache directory of its own, so that one never answers from what another stored.
func (s *suite) settings(addresses []address, password string) vo.NacosClientParam {
	dir := filepath.Join(s.scratch, "client-"+strconv.FormatInt(clientCount.Add(1), 10))
	client := constant.NewClientConfig(
		constant.WithTimeoutMs(5000),
		constant.WithNotLoadCacheAtStart(true),
		constant.WithUpdateCacheWhenEmpty(true),
		constant.WithCacheDir(filepath.Join(dir, "cache")),
		constant.WithLogDir(filepath.Join(s.scratch, "log")),
		constant.WithLogLevel("info"),
		constant.WithUsername(s.user),
		constant.WithPassword(password),
	)
	servers := []constant.ServerConfig{}
	for _, each := range addresses {
		servers = append(servers, *constant.NewServerConfig(each.host, each.port))
	}
	return vo.NacosClientParam{ClientConfig: client, ServerConfigs: servers}
}

func (s *suite) namingClient() (naming_client.INamingClient, error) {
	return s.namingClientAt(s.address)
}

// otherNamingClient is one that another client is checked with: at another node, if there is one.
func (s *suite) otherNamingClient() (naming_client.INamingClient, error) {
	return s.namingClientAt(s.checkAddress)
}

func (s *suite) namingClientAt(addresses ...address) (naming_client.INamingClient, error) {
	return clients.NewNamingClient(s.settings(addresses, s.password))
}

func (s *suite) configClient() (config_client.IConfigClient, error) {
	return s.configClientAt(s.address)
}

func (s *suite) otherConfigClient() (config_client.IConfigClient, error) {
	return s.configClientAt(s.checkAddress)
}

func (s *suite) configClientAt(addresses ...address) (config_client.IConfigClient, error) {
	return clients.NewConfigClient(s.settings(addresses, s.password))
}
