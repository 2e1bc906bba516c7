// Package kafkaclient is what the Kafka nodes share: brokers and how to be let in,
// a check of them, and errors without secrets.
package kafkaclient
