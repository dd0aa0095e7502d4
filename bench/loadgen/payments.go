package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

const remittance = "invoice 2026-0001"

type paymentOptions struct {
	accounts int
	pattern  string
	batch    int
}

// Payments writes request bodies, each payment with a random key, between random accounts; account
// 1 is the hot one. The bytes are valid until the next call.
type payments struct {
	options paymentOptions
	isProto bool
	random  *rand.Rand
	body    []byte
	payment []byte
}

func newPayments(o paymentOptions, protocol string) *payments {
	source := rand.NewPCG(rand.Uint64(), rand.Uint64())
	return &payments{options: o, isProto: protocol == "grpc", random: rand.New(source)}
}

func (p *payments) next() []byte {
	p.body = p.body[:0]
	switch {
	case p.isProto && p.options.batch == 0:
		p.body = p.appendProto(p.body)
	case p.isProto:
		for range p.options.batch {
			p.payment = p.appendProto(p.payment[:0])
			p.body = protowire.AppendTag(p.body, 1, protowire.BytesType)
			p.body = protowire.AppendBytes(p.body, p.payment)
		}
	case p.options.batch == 0:
		p.body = p.appendJSON(p.body)
	default:
		p.body = append(p.body, `{"requests":[`...)
		for i := range p.options.batch {
			if i > 0 {
				p.body = append(p.body, ',')
			}
			p.body = p.appendJSON(p.body)
		}
		p.body = append(p.body, "]}"...)
	}
	return p.body
}

// Sides draws two different accounts.
func (p *payments) sides() (debtor, creditor int) {
	n := p.options.accounts
	debtor = 1 + p.random.IntN(n)
	if p.options.pattern == "hot-debtor" {
		debtor = 1
	}
	creditor = 1 + (debtor-1+1+p.random.IntN(n-1))%n
	if p.options.pattern == "hot-creditor" {
		debtor, creditor = 2+p.random.IntN(n-1), 1
	}
	return debtor, creditor
}

func (p *payments) key() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], p.random.Uint64())
	binary.BigEndian.PutUint64(b[8:], p.random.Uint64())
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// AccountID is the id that fill.ts gives to the account of this number.
func accountID(number int) string {
	return fmt.Sprintf("00000000-0000-7000-8000-%012d", number)
}

func (p *payments) appendJSON(b []byte) []byte {
	debtor, creditor := p.sides()
	b = append(b, `{"idempotencyKey":"`...)
	b = append(b, p.key()...)
	b = append(b, `","debtorAccountId":"`...)
	b = append(b, accountID(debtor)...)
	b = append(b, `","creditorAccountId":"`...)
	b = append(b, accountID(creditor)...)
	b = append(b, `","amount":{"currencyCode":"EUR","amountMinor":"`...)
	b = strconv.AppendInt(b, 1+p.random.Int64N(100), 10)
	b = append(b, `"},"remittanceInformation":"`...)
	b = append(b, remittance...)
	return append(b, `"}`...)
}

func (p *payments) appendProto(b []byte) []byte {
	debtor, creditor := p.sides()
	b = appendString(b, 1, p.key())
	b = appendString(b, 2, accountID(debtor))
	b = appendString(b, 3, accountID(creditor))
	var scratch [16]byte
	money := appendString(scratch[:0], 1, "EUR")
	money = protowire.AppendTag(money, 2, protowire.VarintType)
	money = protowire.AppendVarint(money, 1+p.random.Uint64N(100))
	b = protowire.AppendTag(b, 4, protowire.BytesType)
	b = protowire.AppendBytes(b, money)
	return appendString(b, 6, remittance)
}

func appendString(b []byte, field protowire.Number, value string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, value)
}
