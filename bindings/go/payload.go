package honker

import (
	"bytes"
	"encoding/json"
	"math"
	"time"
)

// encode returns the JSON text of a payload. It keeps <, > and & as they are, so that other languages and people read
// the same text.
func encode(payload any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(payload); err != nil {
		message := "the payload has no JSON form: " + err.Error()
		return "", &Error{Code: CodeInvalidArgument, Message: message, cause: err}
	}
	return string(bytes.TrimSuffix(text.Bytes(), []byte("\n"))), nil
}

// Seconds returns a span for the options, in whole seconds. A fraction counts as a second, so that nothing is early.
func Seconds(span time.Duration) *int64 {
	seconds := int64(math.Ceil(span.Seconds()))
	return &seconds
}

// At returns an instant for the options, in whole Unix seconds. A fraction counts as a second, so that nothing is
// early.
func At(instant time.Time) *int64 {
	seconds := instant.Unix()
	if instant.Nanosecond() > 0 {
		seconds++
	}
	return &seconds
}

// instantOf is the time of an instant in Unix seconds, exact to the millisecond.
func instantOf(seconds float64) time.Time {
	return time.UnixMilli(int64(math.Round(seconds * 1000)))
}

// roundUp is for instants before which nothing may happen, roundDown for those that have passed.
func roundUp(seconds float64) int64   { return int64(math.Ceil(seconds)) }
func roundDown(seconds float64) int64 { return int64(math.Floor(seconds)) }

func rounded(seconds *float64, round func(float64) int64) *int64 {
	if seconds == nil {
		return nil
	}
	whole := round(*seconds)
	return &whole
}

// orNull is nil for an empty text, which the functions take as a missing argument.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
