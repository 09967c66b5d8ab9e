internal import TributaryCore

/// Properties for librdkafka: ours, the user's over them, and over those the ones that only the log may set.
struct KafkaProperties {
    private var common: [String: String] = [:]
    private var consumer: [String: String] = [:]
    private var producer: [String: String] = [:]
    private var fixed: [String: String] = [:]

    /// What the log sets itself, since its promises rest on it.
    private static let reserved: Set<String> = [
        "bootstrap.servers", "metadata.broker.list", "group.id", "group.instance.id", "enable.auto.commit",
        "auto.commit.enable", "enable.auto.offset.store", "enable.partition.eof", "isolation.level",
        "auto.offset.reset", "transactional.id", "enable.idempotence", "acks", "request.required.acks",
        "partition.assignment.strategy", "session.timeout.ms", "client.id", "delivery.report.only.error",
        "allow.auto.create.topics",
    ]

    init(_ configuration: KafkaConfiguration) throws(LogError) {
        guard !configuration.bootstrap.isEmpty else {
            throw LogError(.configuration, "no broker is named: give host:port")
        }
        fixed["bootstrap.servers"] = configuration.bootstrap
        common["reconnect.backoff.max.ms"] = "1000"
        common["socket.keepalive.enable"] = "true"
        consumer = [
            "fetch.wait.max.ms": "100", "fetch.error.backoff.ms": "50", "queued.min.messages": "10000000",
            "queued.max.messages.kbytes": "8192", "receive.message.max.bytes": "1000000000",
        ]
        producer = [
            "linger.ms": "20", "batch.size": "1000000", "message.max.bytes": "1000000000",
            "queue.buffering.max.kbytes": "65536", "message.timeout.ms": "120000",
        ]
        for (name, value) in configuration.properties {
            let bare = String(name.split(separator: ".", maxSplits: 1).last ?? "")
            let isPrefixed = name.hasPrefix("consumer.") || name.hasPrefix("producer.")
            if Self.reserved.contains(isPrefixed ? bare : name) {
                throw LogError(.configuration, "the property '\(name)' is set by Tributary itself")
            }
            if name.hasPrefix("consumer.") {
                consumer[bare] = value
            } else if name.hasPrefix("producer.") {
                producer[bare == "delivery.timeout.ms" ? "message.timeout.ms" : bare] = value
            } else {
                for alias in [name, name == "delivery.timeout.ms" ? "message.timeout.ms" : name] {
                    consumer[alias] = nil
                    producer[alias] = nil
                }
                common[name] = value
            }
        }
    }

    /// The same with more that only the log may set.
    func setting(_ more: [String: String]) -> KafkaProperties {
        var properties = self
        properties.fixed.merge(more) { _, new in new }
        return properties
    }

    /// How many bytes of a partition are fetched ahead of its reader.
    var queuedBytes: Int {
        let name = "queued.max.messages.kbytes"
        return ((consumer[name] ?? common[name]).flatMap { Int($0) } ?? 65_536) * 1024
    }

    func list(for kind: KafkaHandle.Kind) -> [(String, String)] {
        var all = common.merging(kind == .consumer ? consumer : producer) { _, new in new }
        if kind == .consumer {
            all["enable.auto.commit"] = "false"
            all["enable.auto.offset.store"] = "false"
            all["auto.offset.reset"] = "error"
        } else {
            all["enable.idempotence"] = "true"
        }
        all.merge(fixed) { _, new in new }
        return all.sorted { $0.key < $1.key }
    }
}
