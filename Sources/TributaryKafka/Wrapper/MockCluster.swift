internal import CRdKafka
package import TributaryCore

/// librdkafka's cluster of pretended brokers in this process, for tests only.
///
/// It keeps 5 MiB or 100,000 records of a partition and silently drops what is older; it makes every topic that is asked
/// for, with four partitions; it knows nothing of settings, of deleting, or of describing groups.
@safe package final class MockCluster: Sendable {
    private let handle: KafkaHandle
    nonisolated(unsafe) private let cluster: OpaquePointer

    /// Starts pretended brokers.
    package init(brokers: Int = 1) throws(LogError) {
        handle = try KafkaHandle(
            .producer, try KafkaProperties(KafkaConfiguration(bootstrap: "127.0.0.1:1")), logs: .none)
        guard let cluster = unsafe rd_kafka_mock_cluster_new(handle.pointer, CInt(brokers)) else {
            throw LogError(.io, "no pretended brokers could be made")
        }
        unsafe self.cluster = cluster
    }

    deinit {
        // Takes up to a second, for which nobody has to wait.
        nonisolated(unsafe) let cluster = unsafe cluster
        _ = OSThread.start("mock-end") { [handle] in
            unsafe rd_kafka_mock_cluster_destroy(cluster)
            _ = handle
        }
    }

    /// The addresses of the brokers.
    package var bootstrap: String { unsafe String(cString: rd_kafka_mock_cluster_bootstraps(cluster)) }

    /// Makes a topic.
    package func createTopic(_ name: String, partitions: Int32) throws(LogError) {
        let code = unsafe rd_kafka_mock_topic_create(cluster, name, partitions, 1)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw LogError(kafka: code, "the topic can't be made", topic: name)
        }
    }

    /// Has the next requests of a kind fail with these codes of Kafka's protocol, one after the other.
    package func fail(request: Int16, with codes: [Int32]) {
        let codes = codes.map { rd_kafka_resp_err_t(rawValue: $0) }
        unsafe codes.withUnsafeBufferPointer { codes in
            unsafe rd_kafka_mock_push_request_errors_array(cluster, request, codes.count, codes.baseAddress)
        }
    }

    /// Ends a broker's connections and takes none, or takes them again.
    package func setBroker(_ id: Int32 = 1, isUp: Bool) {
        if isUp {
            _ = unsafe rd_kafka_mock_broker_set_up(cluster, id)
        } else {
            _ = unsafe rd_kafka_mock_broker_set_down(cluster, id)
        }
    }
}
