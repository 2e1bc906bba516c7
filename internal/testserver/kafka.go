package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A KafkaBroker is an Apache Kafka broker, in KRaft mode and alone, with its data in a
// folder of the test. Topics are not made by using them.
type KafkaBroker struct {
	// Addr takes everybody.
	Addr string

	// SASL is an address that takes the user ada, password "ada's secret", by PLAIN and
	// SCRAM-SHA-512.
	SASL string

	t      testing.TB
	config string
	server *Server
}

// Kafka starts a broker.
func Kafka(t testing.TB) *KafkaBroker {
	t.Helper()
	Require(t, "Apache Kafka")
	k := &KafkaBroker{t: t}
	dir := t.TempDir()
	k.config = filepath.Join(dir, "server.properties")
	k.Addr, _ = Addr(t)
	k.SASL, _ = Addr(t)
	controller, _ := Addr(t)
	text := strings.NewReplacer("ADDR", k.Addr, "SASL_AT", k.SASL, "CONTROLLER_AT", controller, "DATA", filepath.Join(dir, "data")).Replace(kafkaConfig)
	if err := os.WriteFile(k.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := k.java("kafka.tools.StorageTool", "format", "-t", "ZGF0YWJheS10ZXN0c2VydmVy", "-c", k.config,
		"--add-scram", `SCRAM-SHA-512=[name="ada",password="ada's secret"]`).CombinedOutput()
	if err != nil {
		t.Fatalf("the folder of Apache Kafka cannot be formatted: %v\n%s", err, out)
	}
	k.Restart()
	return k
}

// Kill ends the broker with SIGKILL and waits for it.
func (k *KafkaBroker) Kill() { k.server.Kill() }

// Restart starts the broker, which was killed, with the data it had.
func (k *KafkaBroker) Restart() {
	k.t.Helper()
	k.server = Start(k.t, k.java("kafka.Kafka", k.config), Dial(k.Addr))
}

func (k *KafkaBroker) java(main string, args ...string) *exec.Cmd {
	flags := []string{"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"}
	return java(k.t, "kafka", flags, main, args...)
}

var kafkaConfig = fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@CONTROLLER_AT
controller.listener.names=CONTROLLER
listeners=OPEN://ADDR,SASL://SASL_AT,CONTROLLER://CONTROLLER_AT
advertised.listeners=OPEN://ADDR,SASL://SASL_AT
listener.security.protocol.map=OPEN:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=OPEN
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=%s required user_ada="ada's secret";
listener.name.sasl.scram-sha-512.sasl.jaas.config=%s required;
log.dirs=DATA
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=100
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=3000
`, "org.apache.kafka.common.security.plain.PlainLoginModule", "org.apache.kafka.common.security.scram.ScramLoginModule")
