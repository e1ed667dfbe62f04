// Package integrationstest holds the conformance suites: what every implementation of a
// contract of integrations is held to, run by the tests of each.
package integrationstest
