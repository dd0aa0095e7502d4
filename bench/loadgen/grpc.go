package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// What HTTP/2 starts with.
	maxFrame      = 16 * 1024
	initialWindow = 64*1024 - 1
	// How much the service may send before it needs our leave again.
	ourWindow = 1 << 24

	// Of a gRPC message: a flag and the length.
	prefixSize = 5
)

// A connection in cleartext HTTP/2 with one gRPC call at a time: frames by hand, for a gRPC library
// would take several times the CPU.
type grpcConnection struct {
	framer  *http2.Framer
	writer  *bufio.Writer
	headers []hpack.HeaderField
	encoder *hpack.Encoder
	decoder *hpack.Decoder
	block   bytes.Buffer
	isBatch bool

	stream   uint32
	mayWrite int
	unread   uint32
	refusal  string
	message  string
	out      []byte
	answer   []byte
}

func dialGRPC(address, path, key string, isBatch bool, deadline time.Time) (connection, error) {
	socket, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &grpcConnection{
		writer: bufio.NewWriterSize(socket, 64*1024),
		headers: []hpack.HeaderField{
			{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"},
			{Name: ":path", Value: path}, {Name: ":authority", Value: address},
			{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
			{Name: "authorization", Value: key},
		},
		isBatch:  isBatch,
		stream:   1,
		mayWrite: initialWindow,
	}
	c.framer = http2.NewFramer(c.writer, bufio.NewReaderSize(socket, 64*1024))
	c.framer.SetReuseFrames()
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, c.onHeader)
	_, err = io.WriteString(c.writer, http2.ClientPreface)
	window := http2.Setting{ID: http2.SettingInitialWindowSize, Val: ourWindow}
	return c, errors.Join(
		err,
		c.framer.WriteSettings(window),
		c.framer.WriteWindowUpdate(0, ourWindow),
		c.writer.Flush(),
		socket.SetDeadline(deadline),
	)
}

func (c *grpcConnection) call(body []byte) (int, string, error) {
	c.out = append(c.out[:0], 0, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(c.out[1:], uint32(len(body)))
	c.out = append(c.out, body...)
	if len(c.out) > initialWindow {
		return 0, "", fmt.Errorf("a request of %d bytes doesn't fit the window", len(c.out))
	}
	for c.mayWrite < len(c.out) {
		if _, err := c.read(); err != nil {
			return 0, "", err
		}
	}
	if err := c.send(); err != nil {
		return 0, "", err
	}
	c.refusal, c.message, c.answer = "", "", c.answer[:0]
	for {
		ended, err := c.read()
		if err != nil {
			return 0, "", err
		}
		if ended {
			break
		}
	}
	c.stream += 2
	if c.refusal != "" {
		return 0, c.refusal + " " + c.message, nil
	}
	if len(c.answer) < prefixSize {
		return 0, "", errors.New("an answer without a message")
	}
	settled, err := countSettled(c.answer[prefixSize:], c.isBatch)
	return settled, "", err
}

func (c *grpcConnection) send() error {
	c.block.Reset()
	var err error
	for _, field := range c.headers {
		err = errors.Join(err, c.encoder.WriteField(field))
	}
	block := http2.HeadersFrameParam{
		StreamID: c.stream, BlockFragment: c.block.Bytes(), EndHeaders: true,
	}
	err = errors.Join(err, c.framer.WriteHeaders(block))
	c.mayWrite -= len(c.out)
	for rest := c.out; len(rest) > 0; {
		frame := rest[:min(len(rest), maxFrame)]
		rest = rest[len(frame):]
		err = errors.Join(err, c.framer.WriteData(c.stream, len(rest) == 0, frame))
	}
	return errors.Join(err, c.writer.Flush())
}

// Read takes one frame; true if it was the answer's last one.
func (c *grpcConnection) read() (bool, error) {
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return false, err
	}
	switch frame := frame.(type) {
	case *http2.HeadersFrame:
		_, err := c.decoder.Write(frame.HeaderBlockFragment())
		return frame.StreamEnded(), err
	case *http2.DataFrame:
		c.answer = append(c.answer, frame.Data()...)
		return frame.StreamEnded(), c.giveBack(frame.Length)
	case *http2.WindowUpdateFrame:
		if frame.StreamID == 0 {
			c.mayWrite += int(frame.Increment)
		}
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return false, errors.Join(c.framer.WriteSettingsAck(), c.writer.Flush())
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			return false, errors.Join(c.framer.WritePing(true, frame.Data), c.writer.Flush())
		}
	case *http2.RSTStreamFrame:
		// After a complete answer it only says that the rest of the request isn't needed.
		if frame.StreamID == c.stream {
			c.refusal = "stream reset: " + frame.ErrCode.String()
			return true, nil
		}
	case *http2.GoAwayFrame:
		return false, fmt.Errorf("the service ends the connection: %s", frame.ErrCode)
	}
	return false, nil
}

// GiveBack allows the service to send as much again; it goes out with the next request.
func (c *grpcConnection) giveBack(length uint32) error {
	c.unread += length
	if c.unread < ourWindow/2 {
		return nil
	}
	length, c.unread = c.unread, 0
	return c.framer.WriteWindowUpdate(0, length)
}

func (c *grpcConnection) onHeader(field hpack.HeaderField) {
	switch {
	case field.Name == ":status" && field.Value != "200":
		c.refusal = "HTTP " + field.Value
	case field.Name == "grpc-status" && field.Value != "0":
		c.refusal = "gRPC status " + field.Value
	case field.Name == "grpc-message":
		c.message = field.Value
	}
}
