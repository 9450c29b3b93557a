package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Message types, commands and attributes of the kernel's nfnetlink_queue.
const (
	messagePacket  = unix.NFNL_SUBSYS_QUEUE<<8 | 0
	messageVerdict = unix.NFNL_SUBSYS_QUEUE<<8 | 1
	messageConfig  = unix.NFNL_SUBSYS_QUEUE<<8 | 2

	configCommand     = 1
	configParameters  = 2
	configQueueLength = 3
	configMask        = 4
	configFlags       = 5

	commandBind = 1
	copyMeta    = 1

	packetHeader  = 1
	verdictHeader = 2
	accept        = 1

	flagFailOpen = 1
	flagGSO      = 4

	queueLength = 65536
)

// delay accepts each packet of the queue after base ± jitter. Packets keep no order beyond that, as on a slow line.
func delay(queue uint16, base, jitter time.Duration) error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetReadBuffer(8 << 20)
	_ = conn.SetOption(netlink.NoENOBUFS, true)
	if err := configure(conn, queue); err != nil {
		return fmt.Errorf("cannot bind queue %d: %w", queue, err)
	}
	var sending sync.Mutex
	for {
		messages, err := conn.Receive()
		if err != nil {
			return fmt.Errorf("cannot receive from queue %d: %w", queue, err)
		}
		for _, message := range messages {
			id, ok := packetID(message)
			if !ok {
				continue
			}
			wait := base + time.Duration((2*rand.Float64()-1)*float64(jitter))
			time.AfterFunc(wait, func() {
				sending.Lock()
				defer sending.Unlock()
				_, _ = conn.Send(verdict(queue, id))
			})
		}
	}
}

func configure(conn *netlink.Conn, queue uint16) error {
	command := []byte{commandBind, 0, 0, 0}
	parameters := []byte{0, 0, 0, 0, copyMeta}
	flags := binary.BigEndian.AppendUint32(nil, flagFailOpen|flagGSO)
	steps := [][]netlink.Attribute{
		{{Type: configCommand, Data: command}},
		{{Type: configParameters, Data: parameters}},
		{{Type: configQueueLength, Data: binary.BigEndian.AppendUint32(nil, queueLength)}},
		{{Type: configFlags, Data: flags}, {Type: configMask, Data: flags}},
	}
	for _, attributes := range steps {
		data, err := payload(queue, attributes)
		if err != nil {
			return err
		}
		request := netlink.Message{
			Header: netlink.Header{Type: messageConfig, Flags: netlink.Request | netlink.Acknowledge},
			Data:   data,
		}
		if _, err := conn.Execute(request); err != nil {
			return err
		}
	}
	return nil
}

func verdict(queue uint16, id uint32) netlink.Message {
	header := binary.BigEndian.AppendUint32(nil, accept)
	header = binary.BigEndian.AppendUint32(header, id)
	data, _ := payload(queue, []netlink.Attribute{{Type: verdictHeader, Data: header}})
	return netlink.Message{Header: netlink.Header{Type: messageVerdict, Flags: netlink.Request}, Data: data}
}

// payload is nfnetlink's own header (family, version, queue) and the attributes behind it.
func payload(queue uint16, attributes []netlink.Attribute) ([]byte, error) {
	encoded, err := netlink.MarshalAttributes(attributes)
	if err != nil {
		return nil, err
	}
	header := binary.BigEndian.AppendUint16([]byte{unix.AF_UNSPEC, unix.NFNETLINK_V0}, queue)
	return append(header, encoded...), nil
}

func packetID(message netlink.Message) (uint32, bool) {
	if message.Header.Type != messagePacket || len(message.Data) < 4 {
		return 0, false
	}
	attributes, err := netlink.UnmarshalAttributes(message.Data[4:])
	if err != nil {
		return 0, false
	}
	for _, attribute := range attributes {
		if attribute.Type&^0xc000 == packetHeader && len(attribute.Data) >= 4 {
			return binary.BigEndian.Uint32(attribute.Data), true
		}
	}
	return 0, false
}
