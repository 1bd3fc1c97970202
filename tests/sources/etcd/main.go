// Command etcd is etcd's server and, as `etcd ctl …`, its command-line client: both of one release, for the tests.
package main

import (
	"os"

	"go.etcd.io/etcd/etcdctl/v3/ctlv3"
	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "ctl" {
		os.Args = append(os.Args[:1], os.Args[2:]...)
		ctlv3.MustStart()
		return
	}
	etcdmain.Main(os.Args)
}
