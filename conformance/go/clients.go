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
func (s *suite) settings(password string) vo.NacosClientParam {
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
	return vo.NacosClientParam{
		ClientConfig:  client,
		ServerConfigs: []constant.ServerConfig{*constant.NewServerConfig(s.host, s.port)},
	}
}

func (s *suite) namingClient() (naming_client.INamingClient, error) {
	return clients.NewNamingClient(s.settings(s.password))
}

func (s *suite) configClient() (config_client.IConfigClient, error) {
	return clients.NewConfigClient(s.settings(s.password))
}
