package main

import "google.golang.org/protobuf/encoding/protowire"

const (
	paymentField  = 1
	resultsField  = 1
	statusField   = 6
	statusSettled = 3
)

// CountSettled counts the settled payments of a CreatePaymentResponse, or of the results of a
// BatchCreatePaymentsResponse, which look like one each.
func countSettled(response []byte, isBatch bool) (settled int, err error) {
	if isBatch {
		err = eachField(response, func(field protowire.Number, value []byte) error {
			if field != resultsField {
				return nil
			}
			n, err := countSettled(value, false)
			settled += n
			return err
		})
		return settled, err
	}
	err = eachField(response, func(field protowire.Number, value []byte) error {
		if field != paymentField {
			return nil
		}
		return eachField(value, func(field protowire.Number, value []byte) error {
			if field == statusField && len(value) == 1 && value[0] == statusSettled {
				settled++
			}
			return nil
		})
	})
	return settled, err
}

// EachField calls back with every field of a message: what is in a length-delimited one, the bytes
// of any other.
func eachField(message []byte, visit func(protowire.Number, []byte) error) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(field, kind, message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		value := message[:size]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(message)
		}
		if err := visit(field, value); err != nil {
			return err
		}
		message = message[size:]
	}
	return nil
}
