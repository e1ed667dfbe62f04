package integrations

import "log/slog"

// Secret is a value that prints as <redacted> wherever it is printed, logged or
// marshalled by accident. Reveal is the one way to the value.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

const redacted = "<redacted>"

// Reveal is the value itself.
func (s Secret) Reveal() string { return s.value }

// IsZero says that there is no value.
func (s Secret) IsZero() bool { return s.value == "" }

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes the value as it stands in the configuration, after
// ${ENV} and ${file:…} were put in.
func (s *Secret) UnmarshalText(b []byte) error {
	s.value = string(b)
	return nil
}
