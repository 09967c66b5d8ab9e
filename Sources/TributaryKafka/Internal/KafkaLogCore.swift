internal import CRdKafka
internal import Synchronization
internal import TributaryCore

/// What a log, its readers, writers and groups share: settings, and an instance of librdkafka for requests.
final class KafkaLogCore: Sendable {
    let configuration: KafkaConfiguration
    let properties: KafkaProperties
    let clusterID: String
    /// For requests; reads uncommitted, and never makes a topic by asking for it.
    let control: KafkaHandle
    private let committedReader = Guarded<KafkaHandle?>(nil)
    private let isClosed = Atomic<Bool>(false)
    private let raised = Atomic<Int64>(0)

    init(_ configuration: KafkaConfiguration) throws(LogError) {
        self.configuration = configuration
        properties = try KafkaProperties(configuration)
        control = try KafkaHandle(
            .consumer,
            properties.setting(["client.id": "tributary-control", "isolation.level": "read_uncommitted"]),
            logs: configuration.logs)
        clusterID = try control.clusterID(
            within: configuration.connectTimeout.milliseconds, of: configuration.bootstrap)
    }

    func check() throws(LogError) {
        if isClosed.load(ordering: .relaxed) { throw LogError(.closed, "the log is closed") }
    }

    func close() { isClosed.store(true, ordering: .relaxed) }

    /// How many records went out with timestamp 1 for 0, which Kafka's clients take for "now".
    var raisedTimestamps: Int64 { raised.load(ordering: .relaxed) }

    func countRaised(_ count: Int64, producer: String) {
        if raised.add(count, ordering: .relaxed).oldValue == 0 {
            configuration.logs(
                .warning, "records with timestamp 0 go out with timestamp 1", [("producer", producer)],
                source: "TributaryKafka")
        }
    }

    // MARK: Partitions

    /// The number of partitions of a topic.
    func partitions(ofTopic name: String) throws(LogError) -> Int32 {
        guard let count = try control.partitions(ofTopic: name, within: configuration.requestTimeout.milliseconds)
        else {
            throw LogError(.unknownTopic, "no such topic", topic: name)
        }
        return count
    }

    func checkExists(_ place: TopicPartition) throws(LogError) {
        let count = try partitions(ofTopic: place.topic)
        guard place.partition >= 0, place.partition < count else {
            throw LogError(
                .unknownTopic, "the topic has \(count) partitions", topic: place.topic, partition: place.partition)
        }
    }

    /// Has an instance learn a topic's leaders now: else the first record waits for that.
    func warm(_ topic: KafkaTopic) throws(LogError) {
        _ = try topic.handle.metadata(topic, within: configuration.requestTimeout.milliseconds)
    }

    /// The ends of a partition as the readers of an instance see them.
    func watermarks(_ place: TopicPartition, with handle: KafkaHandle) throws(LogError) -> Watermarks {
        try handle.watermarks(place, within: configuration.requestTimeout.milliseconds)
    }

    func watermarks(_ place: TopicPartition, committed: Bool) throws(LogError) -> Watermarks {
        try checkExists(place)
        guard committed else { return try watermarks(place, with: control) }
        // Made when somebody asks.
        if let handle = committedReader.withLock({ $0 }) { return try watermarks(place, with: handle) }
        let handle = try KafkaHandle(
            .consumer, properties.setting(["client.id": "tributary-control", "isolation.level": "read_committed"]),
            logs: configuration.logs)
        let kept = committedReader.withLock { kept in
            if kept == nil { kept = handle }
            return kept ?? handle
        }
        return try watermarks(place, with: kept)
    }
}

extension KafkaHandle {
    /// Waits until a broker tells the cluster's id.
    func clusterID(within milliseconds: Int64, of bootstrap: String) throws(LogError) -> String {
        let deadline = MonotonicClock.milliseconds.addingSaturated(milliseconds)
        repeat {
            if let id = unsafe rd_kafka_clusterid(pointer, 200) {
                defer { unsafe rd_kafka_mem_free(pointer, id) }
                return unsafe String(cString: id)
            }
            serve()
        } while MonotonicClock.milliseconds < deadline && !events.isDenied
        throw events.explain(
            LogError(.unavailable, "none of the brokers \(bootstrap) answered within \(milliseconds) ms"))
    }

    /// A topic's number of partitions; nil if there is no such topic.
    func partitions(ofTopic name: String, within milliseconds: Int64) throws(LogError) -> Int32? {
        guard TopicName.isValid(name) else { return nil }
        return try metadata(try KafkaTopic(name, self), within: milliseconds)
    }

    /// A topic's number of partitions as a broker tells it now; nil if there is no such topic.
    func metadata(_ topic: KafkaTopic, within milliseconds: Int64) throws(LogError) -> Int32? {
        var found: Int32?
        try retrying(milliseconds, "the topic's partitions can't be asked for", topic: topic.name) { timeout in
            var metadata: UnsafePointer<rd_kafka_metadata>?
            let code = unsafe rd_kafka_metadata(pointer, 0, topic.pointer, &metadata, timeout)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata = unsafe metadata else { return code }
            defer { unsafe rd_kafka_metadata_destroy(metadata) }
            guard unsafe metadata.pointee.topic_cnt > 0 else { return RD_KAFKA_RESP_ERR_NO_ERROR }
            let entry = unsafe metadata.pointee.topics[0]
            switch unsafe entry.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR: unsafe found = entry.partition_cnt
            case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: found = nil
            default: return unsafe entry.err
            }
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
        return found
    }

    /// The names and partition counts of all topics but the broker's own.
    func allTopics(within milliseconds: Int64) throws(LogError) -> [(name: String, partitions: Int32)] {
        var found: [(name: String, partitions: Int32)] = []
        try retrying(milliseconds, "the topics can't be listed") { timeout in
            var metadata: UnsafePointer<rd_kafka_metadata>?
            let code = unsafe rd_kafka_metadata(pointer, 1, nil, &metadata, timeout)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata = unsafe metadata else { return code }
            defer { unsafe rd_kafka_metadata_destroy(metadata) }
            for index in 0..<Int(unsafe metadata.pointee.topic_cnt) {
                let entry = unsafe metadata.pointee.topics[index]
                guard unsafe entry.err == RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
                let name = unsafe String(cString: entry.topic)
                if !name.hasPrefix("__") { unsafe found.append((name, entry.partition_cnt)) }
            }
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
        return found.sorted { $0.name < $1.name }
    }

    func watermarks(_ place: TopicPartition, within milliseconds: Int64) throws(LogError) -> Watermarks {
        var low: Int64 = 0
        var high: Int64 = 0
        try retrying(
            milliseconds, "the partition's ends can't be asked for", topic: place.topic, partition: place.partition
        ) { timeout in
            unsafe rd_kafka_query_watermark_offsets(pointer, place.topic, place.partition, &low, &high, timeout)
        }
        return Watermarks(low: low, high: high)
    }

    /// Makes a request until it works, fails for good, or the time is up; pauses between tries.
    func retrying(
        _ milliseconds: Int64, _ what: String, topic: String? = nil, partition: Int32? = nil,
        _ body: (CInt) -> rd_kafka_resp_err_t
    ) throws(LogError) {
        let deadline = MonotonicClock.milliseconds.addingSaturated(milliseconds)
        var pause: CInt = 20
        while true {
            let left = max(deadline - MonotonicClock.milliseconds, 1)
            let code = body(CInt(clamping: min(left, 5000)))
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }
            guard code.isTransient, !events.isDenied, MonotonicClock.milliseconds < deadline else {
                throw error(code, what, topic: topic, partition: partition)
            }
            _ = unsafe rd_kafka_poll(pointer, pause)
            pause = min(pause * 2, 500)
        }
    }
}
