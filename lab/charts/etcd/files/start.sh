#!/bin/bash
set -eu
. /scripts/common.sh

initial="" own=""
while read -r name address; do
  initial="${initial:+$initial,}$name=http://$address:2380"
  [ "$name" = "$CURRENT_POD_NAME" ] && own=$address
done < <(members)
if [ -z "$own" ]; then
  echo "this Pod, $CURRENT_POD_NAME, is not among the members: $initial" >&2
  exit 1
fi

cp /etc/etcd/etcd.conf /tmp/etcd.conf
cat >>/tmp/etcd.conf <<CONF
name: $CURRENT_POD_NAME
data-dir: $DATA_DIR
listen-peer-urls: http://0.0.0.0:2380
listen-client-urls: http://0.0.0.0:2379
initial-advertise-peer-urls: http://$own:2380
advertise-client-urls: http://$own:2379
initial-cluster: $initial
initial-cluster-token: $CLUSTER_NAMESPACE-$CLUSTER_NAME
CONF
exec etcd --config-file /tmp/etcd.conf
